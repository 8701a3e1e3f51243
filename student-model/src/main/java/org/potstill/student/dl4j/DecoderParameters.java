// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.dl4j;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.deeplearning4j.nn.api.ParamInitializer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.HostMemory;
import org.potstill.student.decoder.Weights;

/** Initialiser of the decoder's parameters in Deeplearning4j's flat vector, row-major, in the order of {@link Weights}. */
public final class DecoderParameters implements ParamInitializer {
    private static final double STANDARD_DEVIATION = 0.02;
    private static final int DRAWN_AT_ONCE = 1 << 20;

    private final CausalLmConfig config;

    DecoderParameters(CausalLmConfig config) {
        this.config = config;
    }

    /** Converts a tensor's name to a key without underscores, at the last of which Deeplearning4j would cut it. */
    static String key(String name) {
        return name.replace('_', '-');
    }

    static boolean isNorm(String key) {
        return key.endsWith("norm.weight");
    }

    /** Whether the key names a norm's gain or a bias, which have no weight decay. */
    static boolean isVector(String key) {
        return isNorm(key) || isBias(key);
    }

    private static boolean isBias(String key) {
        return key.endsWith(".bias");
    }

    public static long count(CausalLmConfig config) {
        return Weights.shapes(config).values().stream().mapToLong(Weights::count).sum();
    }

    @Override
    public long numParams(NeuralNetConfiguration conf) {
        return count(config);
    }

    @Override
    public long numParams(Layer layer) {
        return count(config);
    }

    @Override
    public List<String> paramKeys(Layer layer) {
        return Weights.shapes(config).keySet().stream().map(DecoderParameters::key).toList();
    }

    @Override
    public List<String> weightKeys(Layer layer) {
        return paramKeys(layer);
    }

    @Override
    public List<String> biasKeys(Layer layer) {
        return List.of();
    }

    @Override
    public boolean isWeightParam(Layer layer, String key) {
        return true;
    }

    @Override
    public boolean isBiasParam(Layer layer, String key) {
        return false;
    }

    @Override
    public Map<String, INDArray> init(NeuralNetConfiguration conf, INDArray paramsView, boolean initializeParams) {
        Map<String, INDArray> table = views(paramsView);
        table.keySet().forEach(conf::addVariable);
        if (initializeParams) {
            randomize(table, conf.getSeed());
        }
        return table;
    }

    @Override
    public Map<String, INDArray> getGradientsFromFlattened(NeuralNetConfiguration conf, INDArray gradientView) {
        return views(gradientView);
    }

    private Map<String, INDArray> views(INDArray flat) {
        INDArray line = flat.reshape(flat.length());
        Map<String, INDArray> views = new LinkedHashMap<>();
        long offset = 0;
        for (Map.Entry<String, long[]> tensor : Weights.shapes(config).entrySet()) {
            long end = offset + Weights.count(tensor.getValue());
            views.put(key(tensor.getKey()),
                    line.get(NDArrayIndex.interval(offset, end)).reshape('c', tensor.getValue()));
            offset = end;
        }
        return views;
    }

    /**
     * Initialises norms to 1, biases to 0 and matrices from a normal distribution. As in GPT-2, projections into the residual
     * stream have a smaller standard deviation, so that the stream's variance does not grow with depth. Uses {@link Random},
     * which is specified to the bit, unlike ND4J's generators.
     */
    private void randomize(Map<String, INDArray> table, long seed) {
        Random random = new Random(seed);
        double residual = STANDARD_DEVIATION / Math.sqrt(2.0 * config.numHiddenLayers());
        for (String key : new ArrayList<>(table.keySet())) {
            INDArray values = table.get(key);
            if (isNorm(key)) {
                values.assign(1);
                continue;
            }
            if (isBias(key)) {
                values.assign(0);
                continue;
            }
            boolean writesToStream = key.endsWith("o-proj.weight") || key.endsWith("down-proj.weight");
            double deviation = writesToStream ? residual : STANDARD_DEVIATION;
            int length = Math.toIntExact(values.length());
            FloatBuffer drawn = FloatBuffer.allocate(Math.min(length, DRAWN_AT_ONCE));
            for (int from = 0; from < length; from += drawn.limit()) {
                drawn.clear().limit(Math.min(drawn.capacity(), length - from));
                while (drawn.hasRemaining()) {
                    drawn.put((float) (deviation * random.nextGaussian()));
                }
                HostMemory.write(values, from, drawn.flip());
            }
        }
    }
}
