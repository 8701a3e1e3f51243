package org.potstill.student;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.softlabels.SoftTargets;

/** Small students and made-up teachers. */
final class Fixtures {
    /** Grouped queries, odd sizes. */
    static final CausalLmConfig TINY =
            new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true);

    private Fixtures() {
    }

    static TrainingOptions options(double alpha, double learningRate, TrainingOptions.Optimizer optimizer) {
        return new TrainingOptions(Objective.of(alpha), learningRate, 0, 1_000_000, learningRate, 0.01, 0.9, 0.95, 1e-8, 0,
                optimizer, false, MatrixPrecision.FP32);
    }

    static TrainingOptions adamW() {
        return options(0.5, 1e-2, TrainingOptions.Optimizer.ADAMW);
    }

    /** {@code kept} entries a position; the mass kept varies from a little to nearly all. */
    static TrainingSequence sequence(Random random, int tokens, int vocabSize, int kept) {
        int[] ids = random.ints(tokens, 0, vocabSize).toArray();
        int positions = tokens - 1;
        int[] offsets = new int[positions + 1];
        int[] keptIds = new int[positions * kept];
        float[] probabilities = new float[keptIds.length];
        for (int t = 0; t < positions; t++) {
            offsets[t + 1] = (t + 1) * kept;
            int[] distinct = random.ints(0, vocabSize).distinct().limit(kept).toArray();
            double mass = 0.2 + 0.79 * random.nextDouble();
            double[] share = random.doubles(kept, 0.01, 1).toArray();
            double sum = 0;
            for (double each : share) {
                sum += each;
            }
            for (int i = 0; i < kept; i++) {
                keptIds[t * kept + i] = distinct[i];
                probabilities[t * kept + i] = (float) (mass * share[i] / sum);
            }
        }
        return new TrainingSequence(ids, new SoftTargets(offsets, keptIds, probabilities));
    }

    static List<TrainingSequence> batch(long seed, int vocabSize, int kept, int... lengths) {
        Random random = new Random(seed);
        List<TrainingSequence> batch = new ArrayList<>();
        for (int length : lengths) {
            batch.add(sequence(random, length, vocabSize, kept));
        }
        return batch;
    }
}
