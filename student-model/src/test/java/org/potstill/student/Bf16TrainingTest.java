// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.OneDnn;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;
import org.potstill.student.options.TrainingOptions.Optimizer;

class Bf16TrainingTest {
    @Test
    void trainsNearlyAsInSinglePrecision() {
        Student.setThreads(1);
        assumeTrue(OneDnn.canUseBf16(), "this processor does not multiply bfloat16 numbers");
        CausalLmConfig config = new CausalLmConfig(300, 64, 96, 2, 4, 2, 16, 64, 1e-5f, 10_000f, true);
        List<TrainingSequence> batch = Fixtures.batch(4, 300, 8, 40, 30, 50);
        Map<MatrixPrecision, StepLoss> last = new EnumMap<>(MatrixPrecision.class);
        for (MatrixPrecision precision : MatrixPrecision.values()) {
            TrainingOptions options = new TrainingOptions(Objective.of(0.5), 1e-3, 0, 1000, 1e-3, 0.1, 0.9, 0.95, 1e-8, 1,
                    Optimizer.ADAMW, false, precision);
            try (Student student = Student.create(config, options, 1)) {
                double first = student.loss(batch).total();
                for (int step = 0; step < 60; step++) {
                    last.put(precision, student.step(batch, step));
                }
                assertTrue(last.get(precision).total() < 0.8 * first);
            }
        }
        assertEquals(last.get(MatrixPrecision.FP32).total(), last.get(MatrixPrecision.BF16).total(), 0.02);
        assertTrue(last.get(MatrixPrecision.FP32).total() != last.get(MatrixPrecision.BF16).total(), "the same to the digit: was anything rounded?");
    }
}
