// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.ElementType;
import org.potstill.checkpoints.io.UnsupportedErrors;

/**
 * Metadata and tensor table of a GGUF file, versions 2 and 3, little-endian.
 *
 * <p>The file is untrusted: every length and count is checked against the remaining bytes before anything is allocated
 * for it. Layout: the GGUF specification in the ggml repository ({@code docs/gguf.md}).
 *
 * @param metadata  key to {@link Long}, {@link Double}, {@link Boolean}, {@link String}, {@code long[]}, {@code
 *                  double[]}, {@code String[]} or a list of arrays
 * @param tensors   ggml name to tensor, in file order
 */
public record GgufHeader(Map<String, Object> metadata, Map<String, Tensor> tensors) {
    private static final int MAGIC = 0x46554747;
    private static final int MAX_KEY_BYTES = 65_535;
    private static final int MAX_TENSOR_NAME_BYTES = 256;
    private static final int MAX_STRING_BYTES = 1 << 24;
    private static final int MAX_ARRAY_LENGTH = 1 << 24;
    private static final int MAX_ARRAY_DEPTH = 4;
    private static final int MAX_METADATA_PAIRS = 1 << 16;
    private static final int MAX_TENSORS = 1 << 18;
    private static final int MAX_ALIGNMENT = 1 << 16;
    private static final int DEFAULT_ALIGNMENT = 32;

    /**
     * A tensor's location and type.
     *
     * @param file   the part of the model that contains it
     * @param shape  slowest dimension first, as in Hugging Face; ggml's own order is the reverse
     * @param offset of its first byte in the file
     */
    record Tensor(BoundedFile file, String name, ElementType type, long[] shape, long offset) {
        /** Returns the number of rows, of all matrices of a stack together. */
        long rows() {
            return Arrays.stream(shape).limit(shape.length - 1).reduce(1, (a, b) -> a * b);
        }

        long columns() {
            return shape[shape.length - 1];
        }

        long rowBytes() {
            return type.bytes(columns());
        }
    }

    public static GgufHeader read(BoundedFile file) {
        return new Parser(new GgufCursor(file), file).header();
    }

    private static final class Parser {
        private final GgufCursor cursor;
        private final BoundedFile file;

        Parser(GgufCursor cursor, BoundedFile file) {
            this.cursor = cursor;
            this.file = file;
        }

        GgufHeader header() {
            int magic = cursor.int32("the magic number");
            if (magic != MAGIC) {
                throw FileDiagnosis.of(file, magic);
            }
            int version = cursor.int32("the version");
            if (version != 2 && version != 3) {
                throw CheckpointErrors.unsupportedGgufVersion(file.path(), version);
            }
            // The smallest tensor entry is 8 + 4 + 8 + 4 + 8 bytes, the smallest pair 8 + 4 + 1.
            int tensorCount = cursor.count("the number of tensors", MAX_TENSORS, 32);
            int pairs = cursor.count("the number of metadata pairs", MAX_METADATA_PAIRS, 13);
            Map<String, Object> metadata = new LinkedHashMap<>();
            for (int i = 0; i < pairs; i++) {
                String key = cursor.string("a metadata key", MAX_KEY_BYTES);
                if (metadata.containsKey(key)) {
                    throw malformed("metadata key " + key + " occurs twice");
                }
                metadata.put(key, value(key, cursor.int32("the type of " + key)));
            }
            return new GgufHeader(Collections.unmodifiableMap(metadata), tensors(tensorCount, alignment(metadata)));
        }

        private Object value(String key, int type) {
            return switch (type) {
                case 0 -> (long) (cursor.int8(key) & 0xff);
                case 1 -> (long) cursor.int8(key);
                case 2 -> (long) (cursor.int16(key) & 0xffff);
                case 3 -> (long) cursor.int16(key);
                case 4 -> cursor.int32(key) & 0xffffffffL;
                case 5 -> (long) cursor.int32(key);
                case 6 -> (double) Float.intBitsToFloat(cursor.int32(key));
                case 7 -> bool(key);
                case 8 -> cursor.string(key, MAX_STRING_BYTES);
                case 9 -> array(key, 1);
                case 10, 11 -> cursor.int64(key);
                case 12 -> Double.longBitsToDouble(cursor.int64(key));
                default -> throw malformed(key + " has unknown value type " + Integer.toUnsignedString(type));
            };
        }

        private boolean bool(String key) {
            byte value = cursor.int8(key);
            if (value != 0 && value != 1) {
                throw malformed(key + " is neither true nor false but " + value);
            }
            return value == 1;
        }

        private Object array(String key, int depth) {
            if (depth > MAX_ARRAY_DEPTH) {
                throw malformed(key + " has arrays nested deeper than " + MAX_ARRAY_DEPTH);
            }
            int type = cursor.int32("the element type of " + key);
            int elementBytes = switch (type) {
                case 0, 1, 7 -> 1;
                case 2, 3 -> 2;
                case 4, 5, 6 -> 4;
                case 8, 10, 11, 12 -> 8;
                case 9 -> 12;
                default -> throw malformed(key + " has unknown element type " + Integer.toUnsignedString(type));
            };
            int length = cursor.count("the length of " + key, MAX_ARRAY_LENGTH, elementBytes);
            if (type == 9) {
                List<Object> arrays = new ArrayList<>();
                for (int i = 0; i < length; i++) {
                    arrays.add(array(key, depth + 1));
                }
                return arrays;
            }
            if (type == 8) {
                String[] strings = new String[length];
                for (int i = 0; i < length; i++) {
                    strings[i] = cursor.string(key, MAX_STRING_BYTES);
                }
                return strings;
            }
            if (type == 6 || type == 12) {
                double[] reals = new double[length];
                for (int i = 0; i < length; i++) {
                    reals[i] = (Double) value(key, type);
                }
                return reals;
            }
            long[] integers = new long[length];
            for (int i = 0; i < length; i++) {
                integers[i] = type == 7 ? (bool(key) ? 1 : 0) : (Long) value(key, type);
            }
            return integers;
        }

        private int alignment(Map<String, Object> metadata) {
            Object value = metadata.getOrDefault("general.alignment", (long) DEFAULT_ALIGNMENT);
            if (!(value instanceof Long alignment) || alignment < 8 || alignment > MAX_ALIGNMENT
                    || Long.bitCount(alignment) != 1) {
                throw malformed("general.alignment is " + value + ", not a power of two from 8 to " + MAX_ALIGNMENT);
            }
            return alignment.intValue();
        }

        private Map<String, Tensor> tensors(int count, int alignment) {
            Map<String, Tensor> relative = new LinkedHashMap<>();
            for (int i = 0; i < count; i++) {
                Tensor tensor = tensor(alignment);
                if (relative.put(tensor.name, tensor) != null) {
                    throw malformed("tensor " + tensor.name + " occurs twice");
                }
            }
            long dataStart = (cursor.position() + alignment - 1) / alignment * alignment;
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (Tensor tensor : relative.values()) {
                if (tensor.offset > file.size()) {
                    throw CheckpointErrors.truncated(file.path(), "tensor " + tensor.name, tensor.offset, file.size());
                }
                long offset = dataStart + tensor.offset;
                long elements = 1;
                for (long dimension : tensor.shape) {
                    elements = multiply(tensor.name, elements, dimension);
                }
                long bytes = multiply(tensor.name, elements / tensor.type.blockSize, tensor.type.blockBytes);
                file.requireInside(offset, bytes, "tensor " + tensor.name);
                tensors.put(tensor.name, new Tensor(file, tensor.name, tensor.type, tensor.shape, offset));
            }
            return Collections.unmodifiableMap(tensors);
        }

        private Tensor tensor(int alignment) {
            String name = cursor.string("a tensor's name", MAX_TENSOR_NAME_BYTES);
            int dimensions = cursor.int32("the dimensions of " + name);
            if (dimensions < 1 || dimensions > 4) {
                throw malformed("tensor " + name + " has " + Integer.toUnsignedString(dimensions) + " dimensions");
            }
            long[] shape = new long[dimensions];
            for (int i = dimensions - 1; i >= 0; i--) {
                shape[i] = cursor.int64("the shape of " + name);
                if (shape[i] < 1) {
                    throw malformed("tensor " + name + " has a dimension of " + Long.toUnsignedString(shape[i]));
                }
            }
            ElementType type = elementType(name, cursor.int32("the type of " + name));
            if (shape[dimensions - 1] % type.blockSize != 0) {
                throw malformed("rows of tensor " + name + " have " + shape[dimensions - 1]
                        + " elements, no multiple of the block size " + type.blockSize + " of " + type);
            }
            long offset = cursor.int64("the offset of " + name);
            if (offset < 0 || offset % alignment != 0) {
                throw malformed("tensor " + name + " begins at offset " + Long.toUnsignedString(offset)
                        + ", no multiple of the alignment " + alignment);
            }
            return new Tensor(file, name, type, shape, offset);
        }

        private ElementType elementType(String tensor, int code) {
            for (ElementType type : ElementType.values()) {
                if (type.ggmlCode == code) {
                    return type;
                }
            }
            throw UnsupportedErrors.ggmlType(file.path(), tensor, GgmlTypeNames.of(code),
                    Arrays.stream(ElementType.values()).map(Enum::name).collect(Collectors.joining(", ")));
        }

        private long multiply(String tensor, long a, long b) {
            try {
                return Math.multiplyExact(a, b);
            } catch (ArithmeticException e) {
                throw malformed("the shape of tensor " + tensor + " is beyond all bounds");
            }
        }

        private RuntimeException malformed(String cause) {
            return CheckpointErrors.malformed(file.path(), "GGUF", cause);
        }
    }
}
