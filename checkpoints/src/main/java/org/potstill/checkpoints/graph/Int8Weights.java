// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.TensorSource;

/**
 * A checkpoint's linear layers in 8 bits: the weights of each output channel in 255 even steps between their extremes.
 *
 * <p>8-bit activations are inexact mostly because a few channels are far larger than the others. These are smoothed
 * beforehand as in SmoothQuant (Xiao et al. 2022, arXiv 2211.10438): channel j of a layer's input is divided, and its
 * weights multiplied, by {@code s_j = a_j^0.6 / w_j^0.4}, where a is the channel's largest activation on a calibration
 * text and w its largest weight. The division is free at run time: it is folded into the norm or the layer before. Each s
 * is rounded to a power of two, so that folding is exact and small differences between machines' calibrations rarely
 * matter.
 */
public final class Int8Weights {
    private static final double ACTIVATION_SHARE = 0.6;
    private static final int CHUNK_FLOATS = 1 << 20;
    private static final int LEVELS = 255;
    private static final int MAX_MAPPING = 1 << 30;

    private final TensorSource checkpoint;
    private final CausalLmConfig config;
    /** Divisors of each weight's input channels. */
    private final Map<String, float[]> ofInput = new HashMap<>();
    /** Divisors of each tensor's output channels, one-dimensional tensors included. */
    private final Map<String, float[]> ofOutput = new HashMap<>();

    /**
     * @param maxima largest magnitude of each channel of each linear layer's input, by the names of
     *               {@link LlamaGraph.Ending#CHANNEL_MAXIMA}
     */
    Int8Weights(TensorSource checkpoint, Map<String, float[]> maxima) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            String v = LlamaTensors.layer(layer, "self_attn.v_proj");
            String up = LlamaTensors.layer(layer, "mlp.up_proj");
            smooth(maxima, LlamaTensors.attentionInputNorm(config, layer), LlamaTensors.layer(layer, "self_attn.q_proj"),
                    LlamaTensors.layer(layer, "self_attn.k_proj"), v);
            smoothHeads(maxima, v, LlamaTensors.layer(layer, "self_attn.o_proj"));
            smooth(maxima, LlamaTensors.feedForwardInputNorm(config, layer), LlamaTensors.layer(layer, "mlp.gate_proj"), up);
            smooth(maxima, up, LlamaTensors.layer(layer, "mlp.down_proj"));
        }
        smooth(maxima, LlamaTensors.FINAL_NORM, LlamaTensors.HEAD);
    }

    /** Smooths a layer's input by what produces it, a norm or another layer; does nothing if that is null. */
    private void smooth(Map<String, float[]> maxima, String before, String... weights) {
        if (before == null) {
            return;
        }
        float[] scales = scales(maxima.get(LlamaGraph.channelMaxima(weights[0])), largestOfColumns(weights));
        ofOutput.put(before, scales);
        for (String weight : weights) {
            ofInput.put(weight, scales);
        }
    }

    /** Smooths the channels between values and the output projection. The query heads of a group share values, hence scales. */
    private void smoothHeads(Map<String, float[]> maxima, String before, String weight) {
        float[] weights = largestOfColumns(weight);
        float[] activations = maxima.get(LlamaGraph.channelMaxima(weight));
        int headDim = config.headDim();
        int group = config.numAttentionHeads() / config.numKeyValueHeads();
        float[] ofValues = new float[config.numKeyValueHeads() * headDim];
        float[] largestActivation = new float[ofValues.length];
        for (int i = 0; i < weights.length; i++) {
            int shared = i / headDim / group * headDim + i % headDim;
            ofValues[shared] = Math.max(ofValues[shared], weights[i]);
            largestActivation[shared] = Math.max(largestActivation[shared], activations[i]);
        }
        ofValues = scales(largestActivation, ofValues);
        float[] ofAll = new float[weights.length];
        for (int i = 0; i < weights.length; i++) {
            ofAll[i] = ofValues[i / headDim / group * headDim + i % headDim];
        }
        ofOutput.put(before, ofValues);
        ofInput.put(weight, ofAll);
    }

    private static float[] scales(float[] activations, float[] weights) {
        float[] scales = new float[weights.length];
        for (int i = 0; i < scales.length; i++) {
            double scale = Math.pow(Math.max(activations[i], 1e-5), ACTIVATION_SHARE)
                    / Math.pow(Math.max(weights[i], 1e-5), 1 - ACTIVATION_SHARE);
            scales[i] = Math.scalb(1f, (int) Math.rint(Math.log(scale) / Math.log(2)));
        }
        return scales;
    }

    /** Returns the name of the stored tensor: a tied head has the embedding table's values. */
    private String stored(String weight) {
        return weight.equals(LlamaTensors.HEAD) && config.tieWordEmbeddings() ? LlamaTensors.EMBEDDING : weight;
    }

    private float[] largestOfColumns(String... weights) {
        List<float[]> found = new ArrayList<>();
        for (String weight : weights) {
            eachRow(weight, (row, values) -> {
                if (found.isEmpty()) {
                    found.add(new float[values.length]);
                }
                float[] largest = found.get(0);
                for (int j = 0; j < values.length; j++) {
                    largest[j] = Math.max(largest[j], Math.abs(values[j]));
                }
            });
        }
        return found.get(0);
    }

    private interface RowVisitor {
        void visit(long row, float[] values);
    }

    private void eachRow(String weight, RowVisitor visitor) {
        String name = stored(weight);
        long[] shape = checkpoint.tensors().get(name);
        int columns = Math.toIntExact(shape[1]);
        int rowsPerChunk = Math.max(1, CHUNK_FLOATS / columns);
        float[] values = new float[columns];
        FloatBuffer chunk = FloatBuffer.allocate(rowsPerChunk * columns);
        for (long first = 0; first < shape[0]; first += rowsPerChunk) {
            int count = (int) Math.min(rowsPerChunk, shape[0] - first);
            checkpoint.readRows(name, first, count, chunk.clear());
            chunk.flip();
            for (int i = 0; i < count; i++) {
                chunk.get(values);
                visitor.visit(first + i, values);
            }
        }
    }

    /** Reads rows of norms and biases, which stay in single precision, with the scales folded in. */
    void readRows(String name, long firstRow, long rowCount, FloatBuffer target) {
        int begin = target.position();
        checkpoint.readRows(name, firstRow, rowCount, target);
        String weight = name.endsWith(".bias") ? name.substring(0, name.length() - "bias".length()) + "weight" : name;
        float[] scales = ofOutput.get(weight);
        if (scales != null) {
            for (int i = 0; i < scales.length; i++) {
                target.put(begin + i, target.get(begin + i) / scales[i]);
            }
        }
    }

    /** Writes a linear layer's weights, scales and zero points to their places in the layout. */
    void write(String weight, WeightsLayout layout, FileChannel channel) throws IOException {
        WeightsLayout.Span span = layout.span(weight);
        int out = span.columns();
        float[] ofColumns = ofInput.get(weight);
        float[] ofRows = ofOutput.get(weight);
        // One mapping is at most 2 GiB.
        int inputsPerMapping = Math.max(1, MAX_MAPPING / out);
        List<ByteBuffer> transposed = new ArrayList<>();
        for (long at = 0; at < span.bytes(); at += (long) inputsPerMapping * out) {
            transposed.add(channel.map(FileChannel.MapMode.READ_WRITE, span.offset() + at, Math.min((long) inputsPerMapping * out, span.bytes() - at)));
        }
        ByteBuffer scales = ByteBuffer.allocate(4 * out).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer zeroPoints = ByteBuffer.allocate(out);
        eachRow(weight, (row, values) -> {
            float min = 0;
            float max = 0;
            for (int j = 0; j < values.length; j++) {
                float column = ofColumns == null ? 1 : ofColumns[j];
                values[j] *= ofRows == null ? column : column / ofRows[(int) row];
                min = Math.min(min, values[j]);
                max = Math.max(max, values[j]);
            }
            float scale = max > min ? (max - min) / LEVELS : 1;
            int zeroPoint = Math.round(-min / scale) + Byte.MIN_VALUE;
            for (int j = 0; j < values.length; j++) {
                int level = (int) Math.rint(values[j] / scale) + zeroPoint;
                transposed.get(j / inputsPerMapping).put(j % inputsPerMapping * out + (int) row, (byte) Math.max(Byte.MIN_VALUE, Math.min(Byte.MAX_VALUE, level)));
            }
            scales.putFloat(scale);
            zeroPoints.put((byte) zeroPoint);
        });
        write(scales.flip(), channel, layout.span(WeightsLayout.scale(weight)).offset());
        write(zeroPoints.flip(), channel, layout.span(WeightsLayout.zeroPoint(weight)).offset());
    }

    private static void write(ByteBuffer bytes, FileChannel channel, long offset) throws IOException {
        channel.position(offset);
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
