package org.potstill.checkpoints;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes small GGUF files (version 3, F32), for tests. */
public final class GgufWriter {
    private static final int ALIGNMENT = 32;

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

    public void write(Path file) {
        try {
            Files.write(file, bytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public byte[] bytes() {
        Out out = new Out();
        out.raw("GGUF".getBytes(StandardCharsets.US_ASCII));
        out.int32(3).int64(shapes.size()).int64(metadata.size());
        metadata.forEach((key, value) -> {
            out.string(key);
            out.value(value);
        });
        long offset = 0;
        for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
            long[] shape = tensor.getValue();
            out.string(tensor.getKey()).int32(shape.length);
            for (int i = shape.length - 1; i >= 0; i--) {
                out.int64(shape[i]);
            }
            out.int32(ElementType.F32.ggmlCode).int64(offset);
            offset = align(offset + 4L * values.get(tensor.getKey()).length);
        }
        for (float[] data : values.values()) {
            out.pad();
            ByteBuffer bytes = ByteBuffer.allocate(data.length * 4).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(data);
            out.raw(bytes.array());
        }
        return out.bytes.toByteArray();
    }

    private static long align(long offset) {
        return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private static final class Out {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        Out raw(byte[] more) {
            bytes.writeBytes(more);
            return this;
        }

        Out int32(int value) {
            return raw(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
        }

        Out int64(long value) {
            return raw(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
        }

        Out string(String text) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            return int64(utf8.length).raw(utf8);
        }

        void pad() {
            while (bytes.size() % ALIGNMENT != 0) {
                bytes.write(0);
            }
        }

        void value(Object value) {
            if (value instanceof Integer number) {
                int32(4).int32(number);
            } else if (value instanceof Float number) {
                int32(6).int32(Float.floatToIntBits(number));
            } else if (value instanceof Boolean flag) {
                int32(7).raw(new byte[] {(byte) (flag ? 1 : 0)});
            } else if (value instanceof String text) {
                int32(8).string(text);
            } else if (value instanceof String[] texts) {
                int32(9).int32(8).int64(texts.length);
                for (String text : texts) {
                    string(text);
                }
            } else if (value instanceof int[] numbers) {
                int32(9).int32(5).int64(numbers.length);
                for (int number : numbers) {
                    int32(number);
                }
            } else {
                throw new IllegalArgumentException(String.valueOf(value));
            }
        }
    }
}
