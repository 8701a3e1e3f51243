package org.potstill.checkpoints;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

/**
 * Writes safetensors files, F32, tensor by tensor.
 *
 * <p>The same tensors in the same order give the same bytes. The file appears whole or not at all: it is written
 * beside its target, synced, and moved into place.
 */
public final class Safetensors {
    private static final int CHUNK_FLOATS = 1 << 18;

    private Safetensors() {
    }

    /** Hands out a tensor's values when their turn comes, from the buffer's position to its limit. */
    @FunctionalInterface
    public interface Values {
        FloatBuffer of(String name);
    }

    /** Reads rows of a tensor to a buffer, from its position on; a vector is one row. */
    @FunctionalInterface
    public interface Rows {
        void read(String name, long firstRow, long rowCount, FloatBuffer target);
    }

    /** What comes after the header. */
    private interface Data {
        void write(FileChannel channel) throws IOException;
    }

    /**
     * @param target   replaced if it exists
     * @param shapes   name to shape, written in this map's order: use one with an order of its own
     * @param metadata string pairs for the header, sorted by key; may be empty
     * @param values   asked once for each name, in order; a tensor must have exactly its shape's number of values
     */
    public static void write(Path target, Map<String, long[]> shapes, Map<String, String> metadata, Values values) {
        create(target, shapes, metadata, channel -> {
            for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
                writeValues(channel, tensor.getKey(), elements(tensor.getValue()), values.of(tensor.getKey()));
            }
        });
    }

    /** The same of tensors that no heap need hold: asked for some rows at a time, in order. */
    public static void writeRows(Path target, Map<String, long[]> shapes, Map<String, String> metadata, Rows source) {
        create(target, shapes, metadata, channel -> {
            for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
                writeRows(channel, tensor.getKey(), tensor.getValue(), source);
            }
        });
    }

    /** A file whose values are all zero, to be written in place: the tensors lie at its end, one after the other. */
    public static void writeZeros(Path target, Map<String, long[]> shapes, Map<String, String> metadata) {
        create(target, shapes, metadata, channel -> {
            long bytes = Float.BYTES * shapes.values().stream().mapToLong(Safetensors::elements).sum();
            if (bytes > 0) {
                channel.write(ByteBuffer.allocate(1), channel.position() + bytes - 1);
            }
        });
    }

    private static void create(Path target, Map<String, long[]> shapes, Map<String, String> metadata, Data data) {
        try {
            Path folder = target.toAbsolutePath().getParent();
            // Not Files.createTempFile: its files are readable by their owner only.
            Path temporary = folder.resolve("." + target.getFileName() + "." + UUID.randomUUID() + ".tmp");
            try {
                try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.WRITE)) {
                    writeFully(channel, header(shapes, metadata));
                    data.write(channel);
                    channel.force(true);
                }
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(temporary);
            }
        } catch (IOException e) {
            throw CheckpointErrors.unwritable(target, e);
        }
    }

    private static ByteBuffer header(Map<String, long[]> shapes, Map<String, String> metadata) throws IOException {
        StringWriter text = new StringWriter();
        JsonWriter json = new JsonWriter(text);
        json.setHtmlSafe(false);
        json.beginObject();
        if (!metadata.isEmpty()) {
            json.name("__metadata__").beginObject();
            for (Map.Entry<String, String> pair : new TreeMap<>(metadata).entrySet()) {
                json.name(pair.getKey()).value(pair.getValue());
            }
            json.endObject();
        }
        long offset = 0;
        for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
            json.name(tensor.getKey()).beginObject().name("dtype").value("F32").name("shape").beginArray();
            for (long dimension : tensor.getValue()) {
                json.value(dimension);
            }
            long end = Math.addExact(offset, Math.multiplyExact(4L, elements(tensor.getValue())));
            json.endArray().name("data_offsets").beginArray().value(offset).value(end).endArray().endObject();
            offset = end;
        }
        json.endObject();
        json.flush();
        byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
        // Spaces after the header let the data begin on a multiple of eight, as the format's own writer does.
        int padded = (bytes.length + 7) / 8 * 8;
        ByteBuffer header = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN).putLong(padded).put(bytes);
        while (header.hasRemaining()) {
            header.put((byte) ' ');
        }
        return header.flip();
    }

    private static void writeValues(FileChannel channel, String name, long elements, FloatBuffer values)
            throws IOException {
        if (values.remaining() != elements) {
            throw new IllegalArgumentException(name + " has " + values.remaining() + " values, not " + elements);
        }
        FloatBuffer source = values.duplicate();
        ByteBuffer bytes = ByteBuffer.allocateDirect((int) Math.min(CHUNK_FLOATS, elements) * 4)
                .order(ByteOrder.LITTLE_ENDIAN);
        while (source.hasRemaining()) {
            int count = Math.min(CHUNK_FLOATS, source.remaining());
            bytes.clear();
            bytes.asFloatBuffer().put(source.slice(source.position(), count));
            source.position(source.position() + count);
            writeFully(channel, bytes.limit(count * 4));
        }
    }

    private static void writeRows(FileChannel channel, String name, long[] shape, Rows source) throws IOException {
        long rows = shape.length < 2 ? 1 : shape[0];
        long columns = rows == 0 ? 0 : elements(shape) / rows;
        long rowsAtOnce = Math.max(1, CHUNK_FLOATS / Math.max(1, columns));
        FloatBuffer values = FloatBuffer.allocate(Math.toIntExact(Math.min(rowsAtOnce, rows) * columns));
        for (long row = 0; row < rows; row += rowsAtOnce) {
            long count = Math.min(rowsAtOnce, rows - row);
            source.read(name, row, count, values.clear());
            writeValues(channel, name, count * columns, values.flip());
        }
    }

    private static long elements(long[] shape) {
        long elements = 1;
        for (long dimension : shape) {
            elements = Math.multiplyExact(elements, dimension);
        }
        return elements;
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
