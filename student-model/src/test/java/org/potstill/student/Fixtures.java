// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.Traits;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Objective;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/** Small students and made-up teachers. */
public final class Fixtures {
    /** Grouped queries, odd sizes. */
    public static final CausalLmConfig TINY =
            new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true);

    private static final Traits.Scales SCALES = new Traits.Scales(1.7, 0.6, 0.5, 0.4);

    /**
     * A model of each kind that can be a student: biases, windows in all layers and in some, head norms, scaled angles, own heads,
     * and what else {@link Traits} names.
     */
    public static final List<CausalLmConfig> FAMILIES = List.of(
            TINY,
            tiny(2, 6, false, Variant.PLAIN),
            tiny(2, 6, true, new Variant(Family.LLAMA, true, true, 0, List.of(), List.of(1f, 2.5f, 8f))),
            tiny(2, 4, false, new Variant(Family.MISTRAL, false, false, 3, List.of(0, 1), List.of())),
            tiny(3, 6, true, new Variant(Family.QWEN2, true, false, 2, List.of(1), List.of())),
            tiny(2, 10, true, new Variant(Family.QWEN3, false, false, 0, List.of(), List.of())),
            tiny(2, 8, false, new Variant(Family.QWEN3, true, false, 1, List.of(0), List.of(1f, 1f, 3f, 3f))),
            tiny(2, 6, true, new Variant(Family.SMOLLM3, true, true, 3, List.of(1), List.of(),
                    Traits.PLAIN.with(new Traits.Rotary(0, List.of(1), 0, 1)))),
            tiny(2, 6, true, new Variant(Family.GRANITE, true, true, 0, List.of(), List.of(), Traits.PLAIN.with(SCALES))),
            tiny(2, 8, false, new Variant(Family.PHI3, false, false, 0, List.of(), List.of(1f, 2f, 4f),
                    Traits.PLAIN.with(new Traits.Rotary(6, List.of(), 0, 1.3)))),
            tiny(2, 6, false, new Variant(Family.OLMO2, false, false, 0, List.of(), List.of())),
            tiny(2, 8, true, new Variant(Family.GEMMA3_TEXT, false, false, 3, List.of(1), List.of(4f, 4f, 4f, 4f),
                    Traits.of(Family.GEMMA3_TEXT).with(new Traits.Scales(Math.sqrt(12), 1, 0.5, 1))
                            .with(new Traits.Rotary(0, List.of(), 100, 1)))),
            tiny(2, 6, true, new Variant(Family.GEMMA2, false, false, 3, List.of(0), List.of(),
                    Traits.of(Family.GEMMA2).with(new Traits.Scales(Math.sqrt(12), 1, 0.5, 1)).with(new Traits.Softcaps(1.5, 2)))));

    private Fixtures() {
    }

    private static CausalLmConfig tiny(int layers, int headDim, boolean tied, Variant variant) {
        return new CausalLmConfig(37, 12, 20, layers, 4, 2, headDim, 64, 1e-5f, 10_000f, tied, variant);
    }

    public static TrainingOptions options(double alpha, double learningRate, TrainingOptions.Optimizer optimizer) {
        return new TrainingOptions(Objective.of(alpha), learningRate, 0, 1_000_000, learningRate, 0.01, 0.9, 0.95, 1e-8, 0,
                optimizer, false, MatrixPrecision.FP32);
    }

    public static TrainingOptions adamW() {
        return options(0.5, 1e-2, TrainingOptions.Optimizer.ADAMW);
    }

    /** {@code kept} entries a position; the mass kept varies from a little to nearly all. */
    public static TrainingSequence sequence(Random random, int tokens, int vocabSize, int kept) {
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

    public static List<TrainingSequence> batch(long seed, int vocabSize, int kept, int... lengths) {
        Random random = new Random(seed);
        List<TrainingSequence> batch = new ArrayList<>();
        for (int length : lengths) {
            batch.add(sequence(random, length, vocabSize, kept));
        }
        return batch;
    }
}
