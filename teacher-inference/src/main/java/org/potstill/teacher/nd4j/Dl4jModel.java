// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.BiFunction;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.layers.BaseLayer;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.impl.ActivationIdentity;
import org.nd4j.linalg.activations.impl.ActivationSoftmax;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.errors.UserException;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * A Deeplearning4j MultiLayerNetwork or ComputationGraph that takes token ids {@code [1, 1, T]} and outputs {@code [1, V,
 * T]}: probabilities if its last activation is softmax, logits if it is the identity.
 */
final class Dl4jModel implements Nd4jModel {
    private final Path file;
    private final InputLimits limits;
    private final Model network;
    private final BiFunction<INDArray, MemoryWorkspace, INDArray> output;
    private final boolean probabilities;

    private Dl4jModel(Path file, InputLimits limits, Model network,
            BiFunction<INDArray, MemoryWorkspace, INDArray> output, Layer last) {
        this.file = file;
        this.limits = limits;
        this.network = network;
        this.output = output;
        Object activation = last instanceof BaseLayer layer ? layer.getActivationFn() : null;
        this.probabilities = activation instanceof ActivationSoftmax;
        if (!probabilities && !(activation instanceof ActivationIdentity)) {
            throw TeacherErrors.badModelFile(file, "its last activation is " + activation + ", not softmax or identity");
        }
    }

    /** Opens an archive. ModelSerializer is not used, as it would read the whole file again, and trust it. */
    static Dl4jModel open(Path file, InputLimits limits) {
        Dl4jArchive archive = Dl4jArchive.read(file);
        INDArray parameters = archive.parameters();
        try {
            return archive.configuration().contains("\"vertexInputs\"")
                    ? graph(archive, limits, parameters) : layers(archive, limits, parameters);
        } catch (UserException e) {
            throw e;
        } catch (RuntimeException e) {
            throw TeacherErrors.badModelFile(file, "its configuration and parameters make no network: " + e.getMessage());
        }
    }

    private static Dl4jModel layers(Dl4jArchive archive, InputLimits limits, INDArray parameters) {
        MultiLayerNetwork network = new MultiLayerNetwork(MultiLayerConfiguration.fromJson(archive.configuration()));
        network.init(parameters, false);
        return new Dl4jModel(archive.file(), limits, network,
                (ids, scratch) -> network.output(ids, false, null, null, scratch),
                network.getOutputLayer().conf().getLayer());
    }

    private static Dl4jModel graph(Dl4jArchive archive, InputLimits limits, INDArray parameters) {
        ComputationGraph network = new ComputationGraph(ComputationGraphConfiguration.fromJson(archive.configuration()));
        if (network.getConfiguration().getNetworkInputs().size() != 1
                || network.getConfiguration().getNetworkOutputs().size() != 1) {
            throw TeacherErrors.badModelFile(archive.file(), "it has the inputs "
                    + network.getConfiguration().getNetworkInputs() + " and the outputs "
                    + network.getConfiguration().getNetworkOutputs() + " where one of each is wanted");
        }
        network.init(parameters, false);
        return new Dl4jModel(archive.file(), limits, network,
                (ids, scratch) -> network.output(false, scratch, ids)[0],
                network.getOutputLayer(0).conf().getLayer());
    }

    @Override
    public InputLimits limits() {
        return limits;
    }

    @Override
    public void logits(int[] ids, int positions, LogitRows rows) {
        try (INDArray input = Nd4j.createFromArray(ids).castTo(DataType.FLOAT).reshape(1, 1, ids.length);
                MemoryWorkspace scratch = Nd4jArrays.scratch()) {
            INDArray given = output.apply(input, scratch);
            if (!Arrays.equals(given.shape(), new long[] {1, limits.vocabSize(), ids.length})) {
                throw TeacherErrors.badModelFile(file, "its output for " + ids.length + " tokens is "
                        + Arrays.toString(given.shape()) + ", not [1, vocab_size, tokens] with the vocab_size "
                        + limits.vocabSize() + " of its config.json");
            }
            INDArray byPosition = given.castTo(DataType.FLOAT).reshape(limits.vocabSize(), ids.length).transpose().dup('c');
            float[] values = Nd4jArrays.toHeap(byPosition);
            if (probabilities) {
                for (int i = 0; i < values.length; i++) {
                    // A probability that underflowed is not known to be zero.
                    values[i] = (float) Math.log(Math.max(values[i], Float.MIN_VALUE));
                }
            }
            rows.accept(0, positions, values);
        }
    }

    @Override
    public void close() {
        network.close();
        Nd4j.getWorkspaceManager().destroyAllWorkspacesForCurrentThread();
    }
}
