// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.dl4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.deeplearning4j.nn.api.Updater;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.updater.UpdaterCreator;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.kernels.HostMemory;
import org.potstill.kernels.Matrix;
import org.potstill.student.Fixtures;
import org.potstill.student.loss.Objective;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;
import org.potstill.student.options.TrainingOptions.Optimizer;

class FusedAdamWTest {
    @ParameterizedTest
    @ValueSource(doubles = {0, 1e-3, 1e6})
    void stepsAsDeeplearning4jsUpdaterDoes(double maxGradientNorm) {
        TrainingOptions options = new TrainingOptions(Objective.of(1), 1e-2, 2, 10, 1e-3, 0.1, 0.9, 0.95, 1e-8, maxGradientNorm,
                Optimizer.ADAMW, false, MatrixPrecision.FP32);
        MultiLayerNetwork network = DecoderLayerConf.network(Fixtures.TINY, options, 3, DataType.FLOAT);
        network.init();
        network.initGradientsView();
        Updater updater = UpdaterCreator.getUpdater(network);
        FusedAdamW fused = new FusedAdamW(Fixtures.TINY, options);
        int n = (int) network.numParams();
        INDArray parameters = network.params().dup();
        INDArray moments = Nd4j.zeros(DataType.FLOAT, 2L * n);
        Random random = new Random(1);
        for (int step = 0; step < 5; step++) {
            INDArray gradient = network.getFlattenedGradients();
            Matrix values = Matrix.of(gradient, 1, n);
            for (int i = 0; i < n; i++) {
                values.floats().put(i, (float) (0.01 * random.nextGaussian()));
            }
            double norm = fused.norm(values);
            assertEquals(gradient.norm2Number().doubleValue(), norm, 1e-6);
            fused.step(Matrix.of(parameters, 1, n), values, norm, Matrix.of(HostMemory.range(moments, 0, n), 1, n),
                    Matrix.of(HostMemory.range(moments, n, n), 1, n), step);
            updater.update(network, named(gradient), step, 0, 1, LayerWorkspaceMgr.noWorkspaces());
            network.params().subi(gradient.reshape(n));
            assertArrayEquals(network.params().toFloatVector(), parameters.toFloatVector(), 2e-6f);
            assertArrayEquals(updater.getStateViewArray().toFloatVector(), moments.toFloatVector(), 1e-8f);
        }
    }

    private static Gradient named(INDArray flat) {
        Gradient gradient = new DefaultGradient(flat);
        new DecoderParameters(Fixtures.TINY).getGradientsFromFlattened(null, flat)
                .forEach((key, view) -> gradient.setGradientFor("0_" + key, view, 'c'));
        return gradient;
    }
}
