package org.potstill.spark.train;

import java.util.List;
import org.potstill.student.StepLoss;

/**
 * What training did.
 *
 * @param parameters  of the student
 * @param workers     averaged
 * @param rounds      of averaging, over all epochs
 * @param positions   learnt from, over all epochs
 * @param seconds     of training, those before a resume included
 * @param teacherLoss the teacher's cross-entropy on the training text, in nats
 * @param history     loss of every step, the mean over the workers
 * @param student     its folder
 */
public record TrainSummary(long parameters, int workers, int rounds, long positions, double seconds, double teacherLoss,
        List<StepLoss> history, String student) {
}
