package org.potstill.teacher;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;

/**
 * Whether a model predicts each token from those before it only. No file can be trusted to say so, and a teacher that
 * sees the token it predicts gives worthless targets: so it is tried on a text whose end changes, and on one without it.
 */
final class CausalityProbe {
    private static final int LENGTH = 16;
    /** Of the largest logit: what rounding may differ by between shapes. */
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
            // Not finite is not the same either.
            if (!(difference <= TOLERANCE * scale)) {
                throw TeacherErrors.notCausal(file, i / vocabSize, difference);
            }
        }
    }
}
