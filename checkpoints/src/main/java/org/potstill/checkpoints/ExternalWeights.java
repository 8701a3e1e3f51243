package org.potstill.checkpoints;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A checkpoint's weights as the one raw file of little-endian floats that {@link LlamaGraph} refers to: ONNX Runtime
 * maps it, so that models above 2 GB work and the Java heap never holds the weights.
 *
 * <p>One folder per checkpoint and layout version, see {@link ScratchFolder}.
 */
public final class ExternalWeights {
    static final String FILE_NAME = "weights.bin";
    static final String ROPE_COS = "rope.cos";
    static final String ROPE_SIN = "rope.sin";

    /** To be raised whenever the bytes that {@link #write} makes of the same checkpoint change. */
    private static final int LAYOUT_VERSION = 1;
    private static final int PAGE_BYTES = 4096;
    private static final int CHUNK_FLOATS = 1 << 20;

    /** Where a tensor lies in the file. */
    record Span(long offset, long bytes, long[] shape) {
    }

    private ExternalWeights() {
    }

    /**
     * The folder with the checkpoint's weights below {@code scratch}, written if it is not there. When several
     * processes ask at once, one writes and the others wait for it.
     */
    public static Path materialize(Checkpoint checkpoint, Path scratch) {
        return new ScratchFolder(scratch, "weights-v" + LAYOUT_VERSION + "-" + checkpoint.fingerprint(), FILE_NAME,
                fileBytes(layout(checkpoint.config()))).materialize(file -> write(checkpoint, file));
    }

    static Map<String, Span> layout(CausalLmConfig config) {
        Map<String, long[]> shapes = new LinkedHashMap<>(LlamaTensors.shapes(config));
        long[] table = {config.maxPositionEmbeddings(), config.headDim() / 2};
        shapes.put(ROPE_COS, table);
        shapes.put(ROPE_SIN, table);
        Map<String, Span> layout = new LinkedHashMap<>();
        long offset = 0;
        for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
            long bytes = 4;
            for (long dimension : tensor.getValue()) {
                bytes *= dimension;
            }
            layout.put(tensor.getKey(), new Span(offset, bytes, tensor.getValue()));
            offset = (offset + bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        }
        return layout;
    }

    private static long fileBytes(Map<String, Span> layout) {
        Span last = layout.get(ROPE_SIN);
        return last.offset + last.bytes;
    }

    private static void write(Checkpoint checkpoint, Path file) throws IOException {
        CausalLmConfig config = checkpoint.config();
        ByteBuffer bytes = ByteBuffer.allocateDirect(4 * CHUNK_FLOATS).order(ByteOrder.LITTLE_ENDIAN);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (Map.Entry<String, Span> tensor : layout(config).entrySet()) {
                String name = tensor.getKey();
                long[] shape = tensor.getValue().shape;
                long rows = shape.length == 1 ? 1 : shape[0];
                int columns = (int) shape[shape.length - 1];
                channel.position(tensor.getValue().offset);
                if (columns > CHUNK_FLOATS) {
                    throw new IllegalStateException(name + " has " + columns + " columns");
                }
                int rowsPerChunk = CHUNK_FLOATS / columns;
                for (long row = 0; row < rows; row += rowsPerChunk) {
                    int count = (int) Math.min(rowsPerChunk, rows - row);
                    FloatBuffer target = bytes.clear().asFloatBuffer();
                    if (name.equals(ROPE_COS) || name.equals(ROPE_SIN)) {
                        rope(config, name.equals(ROPE_SIN), row, count, target);
                    } else {
                        checkpoint.readRows(name, row, count, target);
                    }
                    bytes.limit(4 * count * columns);
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                }
            }
            channel.force(true);
        }
    }

    /**
     * Rows of cos or sin of {@code position · theta^(−2j/D)}, the frequency divided where the model says so. Frequencies
     * and angles are rounded to float on the way as transformers rounds them: at position 8000 that is worth 5e-4 of
     * an angle.
     */
    private static void rope(CausalLmConfig config, boolean sine, long firstRow, int rows, FloatBuffer target) {
        List<Float> divisors = config.variant().ropeDivisors();
        for (long position = firstRow; position < firstRow + rows; position++) {
            for (int j = 0; j < config.headDim() / 2; j++) {
                float frequency = (float) (1 / Math.pow(config.ropeTheta(), 2.0 * j / config.headDim()));
                float angle = position * (divisors.isEmpty() ? frequency : frequency / divisors.get(j));
                target.put((float) (sine ? Math.sin(angle) : Math.cos(angle)));
            }
        }
    }
}
