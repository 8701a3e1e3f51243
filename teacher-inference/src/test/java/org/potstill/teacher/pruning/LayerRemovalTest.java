// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.pruning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.pruning.Cuts;
import org.potstill.checkpoints.pruning.PrunedCheckpoint;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/** Models without some of their layers, or of their width, against the same models cut and run as teachers are. */
class LayerRemovalTest {
    private static final CausalLmConfig SHAPE = new CausalLmConfig(320, 64, 48, 5, 4, 2, 16, 256, 1e-5f, 10_000f, true);
    private static final CausalLmConfig QWEN3 = new CausalLmConfig(320, 48, 40, 5, 4, 2, 16, 256, 1e-5f, 10_000f, false,
            new Variant(Family.QWEN3, false, false, 0, List.of(), List.of()));

    @TempDir
    private Path folder;
    private TeacherOptions options;
    private List<int[]> sequences;

    @BeforeEach
    void prepare() {
        options = new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch"));
        Random random = new Random(3);
        sequences = IntStream.of(90, 200, 33).mapToObj(n -> random.ints(n, 0, 320).toArray()).toList();
    }

    private Checkpoint model(CausalLmConfig shape) {
        Path file = folder.resolve("model.gguf");
        TinyLlama.write(file, 5, shape);
        return Checkpoints.open(file);
    }

    private double naiveCost(Checkpoint whole, Checkpoint rest) {
        double sum = 0;
        try (Teacher reference = Teachers.open(whole, options); Teacher other = Teachers.open(rest, options)) {
            for (int[] tokens : sequences) {
                int[] inputs = Arrays.copyOf(tokens, tokens.length - 1);
                float[] p = reference.logits(inputs);
                float[] q = other.logits(inputs);
                for (int t = 0; t < inputs.length; t++) {
                    double[] logP = logSoftmax(p, t);
                    double[] logQ = logSoftmax(q, t);
                    for (int v = 0; v < logP.length; v++) {
                        sum += Math.exp(logP[v]) * (logP[v] - logQ[v]);
                    }
                }
            }
        }
        return sum;
    }

    private static double[] logSoftmax(float[] logits, int row) {
        double[] values = IntStream.range(row * 320, (row + 1) * 320).mapToDouble(i -> logits[i]).toArray();
        double lse = Math.log(Arrays.stream(values).map(Math::exp).sum());
        return Arrays.stream(values).map(z -> z - lse).toArray();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void costsAreTheDivergenceOfTheModelWithoutTheLayer(boolean keep) {
        for (CausalLmConfig shape : List.of(SHAPE, QWEN3)) {
            try (Checkpoint whole = model(shape); LayerwiseModel layers = LayerwiseModel.open(whole, options);
                    LayerRemoval removal = new LayerRemoval(layers, sequences, keep)) {
                // Rounds as greedy removal goes through them, so that states of an earlier one are used again.
                for (int[] kept : new int[][] {{0, 1, 2, 3, 4}, {0, 1, 3, 4}, {0, 3, 4}, {0, 1, 2, 4}}) {
                    AtomicInteger done = new AtomicInteger();
                    double[] costs = removal.costs(kept, 1, kept.length, done::incrementAndGet);
                    assertEquals(kept.length - 1, done.get());
                    for (int left = 1; left < kept.length; left++) {
                        int without = left;
                        int[] rest = IntStream.range(0, kept.length).filter(i -> i != without).map(i -> kept[i]).toArray();
                        double naive = naiveCost(whole, new PrunedCheckpoint(whole, Cuts.none(shape).withLayers(rest)));
                        assertEquals(naive, costs[left - 1], 1e-3 * naive, Arrays.toString(rest));
                        assertEquals(costs[left - 1], removal.cost(rest), 1e-6 * naive);
                    }
                }
                assertEquals(0, removal.cost(new int[] {0, 1, 2, 3, 4}), 1e-2);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void anotherModelsCostIsItsDivergence(boolean keep) {
        int[][] neurons = new int[5][];
        int[][] groups = new int[5][];
        Arrays.setAll(neurons, i -> IntStream.range(0, 48).filter(n -> (n + i) % 3 != 0).toArray());
        Arrays.fill(groups, new int[] {1});
        int[] channels = IntStream.range(0, 64).filter(c -> c % 8 != 5).toArray();
        try (Checkpoint whole = model(SHAPE); LayerwiseModel layers = LayerwiseModel.open(whole, options)) {
            PrunedCheckpoint rest = new PrunedCheckpoint(whole, new Cuts(new int[] {0, 2, 3, 4}, channels, neurons, groups));
            assertEquals(new CausalLmConfig(320, 56, 32, 4, 2, 1, 16, 256, 1e-5f, 10_000f, true), rest.config());
            try (LayerRemoval removal = new LayerRemoval(layers, sequences, keep); LayerwiseModel other = LayerwiseModel.open(rest, options)) {
                double naive = naiveCost(whole, rest);
                assertEquals(naive, removal.cost(other), 1e-3 * naive);
            }
        }
    }

    @Test
    void whatGivesNothingIsTheLeastImportantAndItsLossChangesNothing() {
        // In each layer other neurons, one group of heads; and channels that nothing is ever written to.
        try (Checkpoint plain = model(SHAPE)) {
            float gain = (float) Math.sqrt(60 / 64.0);
            Checkpoint whole = new Changed(plain, (name, values) -> {
                int width = name.contains("down_proj") ? 48 : 64;
                for (int i = 0; i < values.length; i++) {
                    int row = i / width;
                    int layer = name.startsWith("model.layers.") ? name.charAt("model.layers.".length()) - '0' : 0;
                    boolean dead = name.contains("up_proj") && (row + layer) % 4 == 0
                            || name.contains("v_proj") && row / 16 == layer % 2
                            || (name.contains("o_proj") || name.contains("down_proj")) && row % 16 == 7
                            || name.contains("embed") && i % 64 % 16 == 7;
                    values[i] = dead ? 0 : values[i];
                }
            });
            WidthImportance importance;
            try (LayerwiseModel layers = LayerwiseModel.open(whole, options)) {
                importance = WidthImportance.measure(layers, sequences);
            }
            int[][] neurons = Arrays.stream(importance.neurons()).map(n -> Cuts.largest(n, 36)).toArray(int[][]::new);
            int[][] groups = Arrays.stream(importance.groups()).map(g -> Cuts.largest(g, 1)).toArray(int[][]::new);
            int[] channels = Cuts.largest(importance.channels(), 60);
            for (int layer = 0; layer < 5; layer++) {
                int of = layer;
                assertTrue(Arrays.stream(neurons[layer]).noneMatch(n -> (n + of) % 4 == 0));
                assertEquals(1 - layer % 2, groups[layer][0]);
            }
            assertTrue(Arrays.stream(channels).noneMatch(c -> c % 16 == 7));
            // Fewer channels have a larger root mean square: the norms' gains make up for it.
            Checkpoint rest = new Changed(new PrunedCheckpoint(whole, new Cuts(new int[] {0, 1, 2, 3, 4}, channels, neurons, groups)),
                    (name, values) -> {
                        for (int i = 0; name.contains("norm") && i < values.length; i++) {
                            values[i] /= gain;
                        }
                    });
            assertEquals(0, naiveCost(whole, rest), 1e-2);
        }
    }

    @Test
    void importanceAddsUpWhatTheActivationsAre() {
        try (Checkpoint plain = model(SHAPE)) {
            Checkpoint louder = new Changed(plain, (name, values) -> {
                for (int i = 0; name.equals("model.layers.4.mlp.up_proj.weight") && i < values.length; i++) {
                    values[i] *= i / 64 == 3 ? 3 : 1;
                }
                for (int i = 0; name.equals("model.layers.4.self_attn.v_proj.weight") && i < values.length; i++) {
                    values[i] *= i / 64 < 16 ? 2 : 1;
                }
            });
            try (LayerwiseModel one = LayerwiseModel.open(plain, options); LayerwiseModel other = LayerwiseModel.open(louder, options)) {
                WidthImportance before = WidthImportance.measure(one, sequences);
                WidthImportance after = WidthImportance.measure(other, sequences);
                assertEquals(2 * before.groups()[4][0], after.groups()[4][0], 1e-3 * before.groups()[4][0]);
                assertEquals(before.groups()[4][1], after.groups()[4][1], 1e-3 * before.groups()[4][1]);
                assertEquals(before.neurons()[3][3], after.neurons()[3][3], 1e-9);
                WidthImportance parts = WidthImportance.measure(one, sequences.subList(0, 1))
                        .plus(WidthImportance.measure(one, sequences.subList(1, 3)));
                for (int c = 0; c < 64; c++) {
                    assertEquals(before.channels()[c], parts.channels()[c], 1e-3 * before.channels()[c]);
                }
            }
        }
    }

    /** Changes the values of a tensor. */
    private interface Change {
        void apply(String name, float[] values);
    }

    /** A checkpoint with other values. */
    private record Changed(Checkpoint original, Change change) implements Checkpoint {
        @Override
        public CausalLmConfig config() {
            return original.config();
        }

        @Override
        public Map<String, long[]> tensors() {
            return original.tensors();
        }

        @Override
        public void readRows(String name, long firstRow, long rowCount, FloatBuffer target) {
            long[] shape = tensors().get(name);
            int width = (int) shape[shape.length - 1];
            FloatBuffer all = FloatBuffer.allocate(shape.length == 1 ? width : (int) (shape[0] * width));
            original.readRows(name, 0, shape.length == 1 ? 1 : shape[0], all);
            change.apply(name, all.array());
            target.put(all.array(), (int) firstRow * width, (int) rowCount * width);
        }

        @Override
        public long storedBytes() {
            return original.storedBytes();
        }

        @Override
        public TokenizerDefinition tokenizer() {
            return original.tokenizer();
        }

        @Override
        public String fingerprint() {
            return original.fingerprint() + "-" + change.getClass().getName().replace('/', '-');
        }

        @Override
        public void close() {
            // The original belongs to the test.
        }
    }
}
