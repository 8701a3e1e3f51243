// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.huggingface;

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
import org.potstill.checkpoints.io.CheckpointErrors;

/**
 * Writer of safetensors files, F32, tensor by tensor.
 *
 * <p>The same tensors in the same order give the same bytes. Files appear atomically: they are written next to the
 * target, synced, and moved into place.
 */
public final class Safetensors {
    private static final int CHUNK_FLOATS = 1 << 18;

    private Safetensors() {
    }

    /** Reads rows of a tensor into a buffer, from its position on; a vector is one row. */
    @FunctionalInterface
    public interface Rows {
        void read(String name, long firstRow, long rowCount, FloatBuffer target);
    }

    /** The data after the header. */
    private interface Data {
        void write(FileChannel channel) throws IOException;
    }

    /**
     * Writes a file from rows, for tensors larger than the heap: rows are requested in order.
     *
     * @param target   replaced if it exists
     * @param shapes   name to shape, written in the map's order: use an ordered map
     * @param metadata string pairs for the header, sorted by key; may be empty
     */
    public static void writeRows(Path target, Map<String, long[]> shapes, Map<String, String> metadata, Rows source) {
        create(target, shapes, metadata, channel -> {
            for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
                writeRows(channel, tensor.getKey(), tensor.getValue(), source);
            }
        });
    }

    /** Writes a file of zeros, to be filled in place: the tensors are at its end, in order. */
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
            // Not Files.createTempFile, whose files only their owner can read.
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
        // The header is padded with spaces to a multiple of eight bytes, as by the format's own writer.
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
