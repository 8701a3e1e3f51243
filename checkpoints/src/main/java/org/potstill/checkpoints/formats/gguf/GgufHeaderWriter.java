// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.io.ElementType;

/**
 * Writer of the metadata and tensor table of a GGUF file, version 3, little-endian (the ggml repository, {@code
 * docs/gguf.md}). The tensors' data follow in the order of the table, each padded to {@value #ALIGNMENT} bytes.
 */
final class GgufHeaderWriter {
    static final int ALIGNMENT = 32;
    private static final int VERSION = 3;

    private final Map<String, Object> metadata = new LinkedHashMap<>();
    private final Map<String, Entry> tensors = new LinkedHashMap<>();

    private record Entry(ElementType type, long[] shape, long bytes) {
    }

    /**
     * Adds a metadata pair.
     *
     * @param value an Integer (UINT32), Float (FLOAT32), Boolean, String, {@code int[]} (INT32) or list of Strings
     */
    GgufHeaderWriter put(String key, Object value) {
        metadata.put(key, value);
        return this;
    }

    /**
     * Adds a tensor to the table.
     *
     * @param shape slowest dimension first
     * @param bytes of its data
     */
    GgufHeaderWriter tensor(String ggmlName, ElementType type, long[] shape, long bytes) {
        tensors.put(ggmlName, new Entry(type, shape, bytes));
        return this;
    }

    /** Returns the header, padded so that the first tensor's data can follow at once. */
    byte[] bytes() {
        Out out = new Out();
        out.raw("GGUF".getBytes(StandardCharsets.US_ASCII)).int32(VERSION).int64(tensors.size()).int64(metadata.size());
        metadata.forEach((key, value) -> out.string(key).value(value));
        long offset = 0;
        for (Map.Entry<String, Entry> tensor : tensors.entrySet()) {
            long[] shape = tensor.getValue().shape;
            out.string(tensor.getKey()).int32(shape.length);
            for (int i = shape.length - 1; i >= 0; i--) {
                out.int64(shape[i]);
            }
            out.int32(tensor.getValue().type.ggmlCode).int64(offset);
            offset += tensor.getValue().bytes + padding(tensor.getValue().bytes);
        }
        return out.raw(new byte[padding(out.bytes.size())]).bytes.toByteArray();
    }

    /** Returns the number of padding bytes after {@code bytes} bytes of data. */
    static int padding(long bytes) {
        return (int) (-bytes & ALIGNMENT - 1);
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

        void value(Object value) {
            if (value instanceof Integer number) {
                int32(4).int32(number);
            } else if (value instanceof Float number) {
                int32(6).int32(Float.floatToIntBits(number));
            } else if (value instanceof Boolean flag) {
                int32(7).raw(new byte[] {(byte) (flag ? 1 : 0)});
            } else if (value instanceof String text) {
                int32(8).string(text);
            } else if (value instanceof List<?> texts) {
                int32(9).int32(8).int64(texts.size());
                texts.forEach(text -> string((String) text));
            } else {
                int[] numbers = (int[]) value;
                int32(9).int32(5).int64(numbers.length);
                for (int number : numbers) {
                    int32(number);
                }
            }
        }
    }
}
