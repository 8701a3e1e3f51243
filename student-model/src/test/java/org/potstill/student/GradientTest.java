package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.deeplearning4j.gradientcheck.GradientCheckUtil;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.NoOp;

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

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.5, 1})
    void everyParametersGradientIsThatOfTheLoss(double alpha) {
        List<TrainingSequence> batch = Fixtures.batch(7, Fixtures.TINY.vocabSize(), 4, 6, 3, 9);
        MultiLayerNetwork network =
                Student.network(Fixtures.TINY, alpha, 0, 0, new NoOp(), 3, DataType.DOUBLE);
        network.init();
        // Wider than real initial weights, so that attention and the gates are not near their linear middle.
        network.params().muli(6);
        try (LabelledBatch arrays = LabelledBatch.of(batch, Fixtures.TINY, DataType.DOUBLE)) {
            INDArray labelMask = arrays.mask().dup();
            labelMask.putScalar(0, 2, 0);
            assertTrue(GradientCheckUtil.checkGradients(new GradientCheckUtil.MLNConfig()
                    .net(network).input(arrays.features()).labels(arrays.labels())
                    .inputMask(arrays.mask()).labelMask(labelMask)
                    .epsilon(1e-6).maxRelError(1e-5).minAbsoluteError(1e-8)
                    .subset(true).maxPerParam(60)
                    .print(GradientCheckUtil.PrintMode.FAILURES_ONLY)));
        }
    }
}
