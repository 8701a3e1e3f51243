package org.potstill.spark.train;

import java.io.Serializable;

/**
 * All that training changes.
 *
 * @param parameters   of the student
 * @param updaterState Adam's moments; empty for SGD
 */
record ModelState(float[] parameters, float[] updaterState) implements Serializable {
}
