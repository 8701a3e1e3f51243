// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.Precision;
import org.potstill.spark.hardware.DeviceWork;
import org.potstill.spark.metrics.Comparison;
import org.potstill.spark.metrics.DistributionComparer;
import org.potstill.spark.teacher.PassCounters;
import org.potstill.spark.teacher.TaskTeacher;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.Teacher;

/**
 * A task that compares the teacher with the same weights in single precision, on an executor.
 *
 * @param fingerprint see {@link TeacherSource#fingerprint}
 * @param cores       CPU cores per executor
 */
record PrecisionCheck(TeacherSource source, String fingerprint, int cores, Broadcast<SerializableConfiguration> hadoop,
        PassCounters counters) implements Serializable {
    /** Minimum number of positions to compare, if the corpus has as many. */
    static final int POSITIONS = 2048;

    /**
     * Result of the comparison.
     *
     * @param work the executor's work, which may include loading the model
     */
    record Result(Comparison sums, ShardResult work) implements Serializable {
    }

    Result run(List<int[]> sequences) {
        TaskTeacher task = TaskTeacher.get(source, fingerprint, cores, hadoop.value().value(), counters);
        Comparison sums = Comparison.NONE;
        int vocabSize = task.teacher().vocabSize();
        try (DistributionComparer comparer = new DistributionComparer(vocabSize, cores); CausalLm model = source.model(hadoop.value().value());
                Teacher reference = Teachers.open(model, source.options(cores, Math.max(0, task.gpu())).with(Precision.FP32))) {
            for (int[] tokens : sequences) {
                int[] inputs = Arrays.copyOf(tokens, tokens.length - 1);
                sums = sums.plus(comparer.compare(comparer.logits(reference.logits(inputs), vocabSize),
                        List.of(comparer.logits(task.teacher().logits(inputs), vocabSize)), tokens).get(0));
            }
        }
        return new Result(sums, new ShardResult(task.executor(), task.gpu(), task.loads(), 0, 0, 0, 0, 0, 0, 0, DeviceWork.NONE, Map.of()));
    }
}
