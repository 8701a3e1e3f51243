// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * A test that a model predicts each token only from those before it. Nothing in a file guarantees that, and a teacher
 * that sees the token it predicts gives worthless targets, so logits are compared for a text with two endings and without
 * one.
 */
final class CausalityProbe {
    private static final int LENGTH = 16;
    /** Tolerance for rounding differences between shapes, relative to the largest logit. */
    private static final double TOLERANCE = 1e-4;

    private CausalityProbe() {
    }

    static void require(Nd4jModel model, Path file) {
        InputLimits limits = model.limits();
        int length = Math.min(LENGTH, limits.maxPositionEmbeddings());
        int[] text = new Random(1).ints(length, 0, limits.vocabSize()).toArray();
        int[] otherEnd = text.clone();
        otherEnd[length - 1] = (text[length - 1] + 1) % limits.vocabSize();
        float[] expected = model.logits(text, length - 1);
        requireSame(expected, model.logits(otherEnd, length - 1), limits.vocabSize(), file);
        requireSame(expected, model.logits(Arrays.copyOf(text, length - 1), length - 1), limits.vocabSize(), file);
    }

    private static void requireSame(float[] expected, float[] actual, int vocabSize, Path file) {
        double scale = 0;
        for (float logit : expected) {
            scale = Math.max(scale, Math.abs(logit));
        }
        for (int i = 0; i < expected.length; i++) {
            double difference = Math.abs(expected[i] - actual[i]);
            // Negated, so that NaN fails too.
            if (!(difference <= TOLERANCE * scale)) {
                throw TeacherErrors.notCausal(file, i / vocabSize, difference);
            }
        }
    }
}
