// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.util.LinkedHashMap;
import java.util.Map;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;

/**
 * The layout of a Llama-family model's tensors in the single raw, little-endian file to which {@link LlamaGraph} refers.
 *
 * <p>In {@link Precision#FP32} and {@link Precision#FP16}, tensors have their Hugging Face names and shapes. In {@link
 * Precision#INT8}, a linear layer's weight is transposed, {@code [in, out]}, as signed bytes, with a float scale and a
 * signed zero point per output in {@link #scale} and {@link #zeroPoint}; a head tied to the embedding table has bytes of
 * its own. All else is in single precision.
 */
public final class WeightsLayout {
    /** Prefix of the tables of the rotary embedding. */
    static final String ROPE = "rope.";
    static final String ROPE_COS = ROPE + "cos";
    static final String ROPE_SIN = ROPE + "sin";
    static final String LOCAL_COS = ROPE + "local_cos";
    static final String LOCAL_SIN = ROPE + "local_sin";
    private static final String SCALE = ".scale";
    private static final String ZERO_POINT = ".zero_point";
    private static final int PAGE_BYTES = 4096;

    /** A tensor's place in the file. */
    public record Span(long offset, long bytes, long[] shape, DataType type) {
        long rows() {
            return shape.length == 1 ? 1 : shape[0];
        }

        int columns() {
            return Math.toIntExact(shape[shape.length - 1]);
        }
    }

    private final Map<String, Span> spans = new LinkedHashMap<>();
    private long end;

    private WeightsLayout() {
    }

    public static WeightsLayout of(CausalLmConfig config, Precision precision) {
        return of(config, precision, precision == Precision.FP16 ? DataType.FLOAT16 : DataType.FLOAT);
    }

    /**
     * Returns the layout of {@link Precision#INT8} with a half-precision embedding table, which dominates the file of a
     * small model.
     */
    public static WeightsLayout int8Export(CausalLmConfig config) {
        return of(config, Precision.INT8, DataType.FLOAT16);
    }

    private static WeightsLayout of(CausalLmConfig config, Precision precision, DataType embedding) {
        WeightsLayout layout = new WeightsLayout();
        DataType number = precision == Precision.FP16 ? DataType.FLOAT16 : DataType.FLOAT;
        LlamaTensors.shapes(config).forEach((name, shape) -> {
            boolean linear = shape.length == 2 && !name.equals(LlamaTensors.EMBEDDING);
            if (linear && precision == Precision.INT8) {
                layout.addBytes(name, shape);
            } else {
                layout.add(name, shape, name.equals(LlamaTensors.EMBEDDING) ? embedding : number);
            }
        });
        if (precision == Precision.INT8 && config.tieWordEmbeddings()) {
            layout.addBytes(LlamaTensors.HEAD, new long[] {config.vocabSize(), config.hiddenSize()});
        }
        long[] table = {config.maxPositionEmbeddings(), config.headDim() / 2};
        layout.add(ROPE_COS, table, number);
        layout.add(ROPE_SIN, table, number);
        if (config.hasLocalFrequencies()) {
            layout.add(LOCAL_COS, table, number);
            layout.add(LOCAL_SIN, table, number);
        }
        return layout;
    }

    static String scale(String weight) {
        return weight + SCALE;
    }

    static String zeroPoint(String weight) {
        return weight + ZERO_POINT;
    }

    /** Returns whether this is the scale or zero point of a weight, which is written with its bytes. */
    static boolean belongsToBytes(String name) {
        return name.endsWith(SCALE) || name.endsWith(ZERO_POINT);
    }

    Map<String, Span> spans() {
        return spans;
    }

    public Span span(String name) {
        return spans.get(name);
    }

    long fileBytes() {
        return end;
    }

    private void addBytes(String name, long[] outIn) {
        add(name, new long[] {outIn[1], outIn[0]}, DataType.INT8);
        add(scale(name), new long[] {outIn[0]}, DataType.FLOAT);
        add(zeroPoint(name), new long[] {outIn[0]}, DataType.INT8);
    }

    private void add(String name, long[] shape, DataType type) {
        long bytes = switch (type) {
            case INT8 -> 1;
            case FLOAT16 -> 2;
            default -> 4;
        };
        for (long dimension : shape) {
            bytes *= dimension;
        }
        long offset = (end + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        spans.put(name, new Span(offset, bytes, shape, type));
        end = offset + bytes;
    }
}
