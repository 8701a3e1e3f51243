// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.io.ElementType;

/** Writes small GGUF files of F32 tensors, sound or not, for tests. */
public final class GgufWriter {
    private final Map<String, Object> metadata = new LinkedHashMap<>();
    private final Map<String, long[]> shapes = new LinkedHashMap<>();
    private final Map<String, float[]> values = new LinkedHashMap<>();

    /** Integers become UINT32, floats FLOAT32, {@code int[]} an array of INT32; strings and booleans are themselves. */
    public GgufWriter put(String key, Object value) {
        metadata.put(key, value);
        return this;
    }

    public GgufWriter remove(String key) {
        metadata.remove(key);
        return this;
    }

    /** @param shape slowest dimension first */
    public GgufWriter tensor(String ggmlName, long[] shape, float[] data) {
        shapes.put(ggmlName, shape);
        values.put(ggmlName, data);
        return this;
    }

    public GgufWriter removeTensor(String ggmlName) {
        shapes.remove(ggmlName);
        values.remove(ggmlName);
        return this;
    }

    long[] shape(String ggmlName) {
        return shapes.get(ggmlName);
    }

    float[] values(String ggmlName) {
        return values.get(ggmlName);
    }

    /** Replaces matrices of one shape by a stack of them. */
    GgufWriter stack(String ggmlName, List<String> parts) {
        long[] shape = shapes.get(parts.get(0));
        FloatBuffer stack = FloatBuffer.allocate((int) (parts.size() * shape[0] * shape[1]));
        parts.forEach(part -> stack.put(values.get(part)));
        parts.forEach(this::removeTensor);
        return tensor(ggmlName, new long[] {parts.size(), shape[0], shape[1]}, stack.array());
    }

    public void write(Path file) {
        try {
            Files.write(file, bytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public byte[] bytes() {
        GgufHeaderWriter header = new GgufHeaderWriter();
        metadata.forEach((key, value) -> header.put(key, value instanceof String[] texts ? List.of(texts) : value));
        shapes.forEach((name, shape) -> header.tensor(name, ElementType.F32, shape, 4L * values.get(name).length));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(header.bytes());
        for (float[] data : values.values()) {
            ByteBuffer bytes = ByteBuffer.allocate(data.length * 4).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(data);
            out.writeBytes(bytes.array());
            out.writeBytes(new byte[GgufHeaderWriter.padding(out.size())]);
        }
        return out.toByteArray();
    }
}
