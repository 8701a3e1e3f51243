// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.dl4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.deeplearning4j.gradientcheck.GradientCheckUtil;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.NoOp;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.Fixtures;
import org.potstill.student.batch.LabelledBatch;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Divergence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.Tail;

/** The whole backward pass, in double precision, against finite differences, by Deeplearning4j's own checker. */
class GradientTest {
    @BeforeEach
    void useDoubles() {
        Nd4j.setDefaultDataTypes(DataType.DOUBLE, DataType.DOUBLE);
    }

    @AfterEach
    void useFloats() {
        Nd4j.setDefaultDataTypes(DataType.FLOAT, DataType.FLOAT);
    }

    static Stream<Arguments> cases() {
        Stream<Arguments> objectives = Stream.of(
                Arguments.of(DecoderKind.FUSED, Objective.of(0), Fixtures.TINY),
                Arguments.of(DecoderKind.FUSED, Objective.of(1), Fixtures.TINY),
                Arguments.of(DecoderKind.FUSED, new Objective(0.7, 0, Divergence.REVERSE_KL, Tail.GHOST), Fixtures.TINY),
                Arguments.of(DecoderKind.FUSED, new Objective(0.7, 0, Divergence.JSD, Tail.RENORMALISE), Fixtures.TINY),
                Arguments.of(DecoderKind.ND4J, new Objective(0.7, 0, Divergence.JSD, Tail.GHOST), Fixtures.TINY));
        Stream<Arguments> families = Fixtures.FAMILIES.stream().flatMap(config ->
                Stream.of(DecoderKind.FUSED, DecoderKind.FUSED_CHECKPOINTING, DecoderKind.ND4J)
                        .map(kind -> Arguments.of(kind, Objective.of(0.5), config)));
        return Stream.concat(objectives, families);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everyParametersGradientIsThatOfTheLoss(DecoderKind kind, Objective objective, CausalLmConfig config) {
        MultiLayerNetwork network = network(kind, objective, config);
        try (LabelledBatch arrays = batch()) {
            assertTrue(GradientCheckUtil.checkGradients(new GradientCheckUtil.MLNConfig()
                    .net(network).input(arrays.features()).labels(arrays.labels())
                    .inputMask(arrays.featuresMask()).labelMask(arrays.labelsMask())
                    .epsilon(1e-6).maxRelError(1e-5).minAbsoluteError(1e-8)
                    .subset(true).maxPerParam(kind.nd4j() ? 4 : 40)
                    .print(GradientCheckUtil.PrintMode.FAILURES_ONLY)));
        }
    }

    static Stream<DecoderKind> others() {
        return Stream.of(DecoderKind.FUSED_CHECKPOINTING, DecoderKind.ND4J);
    }

    @ParameterizedTest
    @MethodSource("others")
    void everyDecoderComputesTheSame(DecoderKind kind) {
        for (Divergence divergence : Divergence.values()) {
            for (Tail tail : Tail.values()) {
                Objective objective = new Objective(0.6, 0, divergence, tail);
                double[] expected = lossAndGradient(DecoderKind.FUSED, objective, Fixtures.TINY);
                double[] computed = lossAndGradient(kind, objective, Fixtures.TINY);
                assertArrayEquals(expected, computed, 1e-10, objective.toString());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("others")
    void everyDecoderComputesTheSameOfEveryFamily(DecoderKind kind) {
        for (CausalLmConfig config : Fixtures.FAMILIES) {
            double[] expected = lossAndGradient(DecoderKind.FUSED, Objective.of(0.6), config);
            double[] computed = lossAndGradient(kind, Objective.of(0.6), config);
            assertArrayEquals(expected, computed, 1e-10, config.toString());
        }
    }

    private static double[] lossAndGradient(DecoderKind kind, Objective objective, CausalLmConfig config) {
        MultiLayerNetwork network = network(kind, objective, config);
        try (LabelledBatch arrays = batch()) {
            network.setInput(arrays.features());
            network.setLabels(arrays.labels());
            network.setLayerMaskArrays(arrays.featuresMask(), arrays.labelsMask());
            network.computeGradientAndScore();
            double[] gradient = network.getFlattenedGradients().toDoubleVector();
            double[] all = Arrays.copyOf(gradient, gradient.length + 1);
            all[gradient.length] = network.score();
            return all;
        }
    }

    /**
     * Wider than real initial weights, so that attention and the gates are not near their linear middle, and with biases that
     * are not zero.
     */
    private static MultiLayerNetwork network(DecoderKind kind, Objective objective, CausalLmConfig config) {
        MultiLayerNetwork network = DecoderLayerConf.network(config, objective, kind, 0, 0, new NoOp(), 3, DataType.DOUBLE);
        network.init();
        network.params().muli(6);
        Random random = new Random(5);
        network.paramTable().forEach((key, values) -> {
            if (key.endsWith(".bias")) {
                values.assign(Nd4j.create(random.doubles(values.length(), -0.5, 0.5).toArray()));
            }
        });
        return network;
    }

    /** Of three lengths; one position does not count. */
    private static LabelledBatch batch() {
        List<TrainingSequence> sequences = Fixtures.batch(7, Fixtures.TINY.vocabSize(), 4, 6, 3, 9);
        boolean[] counted = {true, true, false, true, true};
        sequences.set(0, new TrainingSequence(sequences.get(0).tokens(), sequences.get(0).targets(), counted));
        return LabelledBatch.of(sequences, Fixtures.TINY, DataType.DOUBLE);
    }
}
