package org.potstill.spark.train;

import java.io.Serializable;
import java.util.List;
import org.potstill.student.StepLoss;

/**
 * One slice of a {@link ModelState} as it lies on an executor.
 *
 * @param losses of the round that led here, step by step of each worker; in the first slice only
 */
record StateSlice(FloatChunks parameters, FloatChunks updaterState, FloatChunks momentum, List<List<StepLoss>> losses) implements Serializable {
}
