// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.huggingface;

import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.ElementType;
import org.potstill.checkpoints.io.FileSignature;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.TensorReader;
import org.potstill.checkpoints.io.UnsupportedErrors;

/**
 * Reader of a safetensors file's tensors (F32, F16, BF16) as floats. The header is untrusted: lengths are checked against
 * the file and byte ranges against the shapes, and ranges must neither overlap nor leave gaps.
 *
 * <p>Format: 8 bytes of header length, little-endian, a JSON header, then the data.
 */
public final class SafetensorsFile implements AutoCloseable {
    private static final String FORMAT = "safetensors";
    /** Limit of the reference reader. */
    private static final int MAX_HEADER_BYTES = 100_000_000;
    private static final Map<String, ElementType> TYPES =
            Map.of("F32", ElementType.F32, "F16", ElementType.F16, "BF16", ElementType.BF16);
    /** Bits per element of the format's other types, which cannot be read but may be present. */
    private static final Map<String, Integer> OTHER_BITS = Map.ofEntries(Map.entry("BOOL", 8), Map.entry("U8", 8), Map.entry("I8", 8),
            Map.entry("F8_E5M2", 8), Map.entry("F8_E4M3", 8), Map.entry("F8_E8M0", 8), Map.entry("I16", 16), Map.entry("U16", 16),
            Map.entry("I32", 32), Map.entry("U32", 32), Map.entry("I64", 64), Map.entry("U64", 64), Map.entry("F64", 64),
            Map.entry("C64", 64), Map.entry("F4", 4), Map.entry("F6_E2M3", 6), Map.entry("F6_E3M2", 6));

    /** @param type null if it cannot be read */
    private record Entry(String name, String typeName, ElementType type, long[] shape, long begin, long end) {
    }

    private final BoundedFile file;
    private final long dataStart;
    private final Map<String, Entry> entries;
    private final Map<String, String> metadata;

    private SafetensorsFile(BoundedFile file, long dataStart, Map<String, Entry> entries, Map<String, String> metadata) {
        this.file = file;
        this.dataStart = dataStart;
        this.entries = entries;
        this.metadata = metadata;
    }

    public static SafetensorsFile open(Path path) {
        BoundedFile file = BoundedFile.open(path);
        try {
            return parse(file);
        } catch (Json.MalformedException e) {
            Optional<FileSignature> other = file.signature().filter(found -> found != FileSignature.SAFETENSORS);
            file.close();
            throw other.map(found -> UnsupportedErrors.foreign(path, found)).orElseGet(() -> CheckpointErrors.malformed(path, FORMAT, e.getMessage()));
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Returns the tensor names in the order of the header. */
    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    public long[] shape(String name) {
        return entry(name).shape.clone();
    }

    /**
     * Returns a tensor's type.
     *
     * @throws org.potstill.errors.UserException if it cannot be read
     */
    ElementType type(String name) {
        return readable(name).type;
    }

    /** Returns the file's name of a tensor's type, readable or not. */
    String typeName(String name) {
        return entry(name).typeName;
    }

    /** Returns the header's {@code __metadata__}; empty if it has none. */
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    /** Reads the tensor's values, row-major, into {@code target} from its position on. */
    public void read(String name, FloatBuffer target) {
        Entry entry = readable(name);
        readElements(entry, 0, (entry.end - entry.begin) / entry.type.blockBytes, target);
    }

    /** Reads {@code count} values from {@code first} on. */
    public void read(String name, long first, long count, FloatBuffer target) {
        Entry entry = readable(name);
        if (first < 0 || count < 0 || first > (entry.end - entry.begin) / entry.type.blockBytes - count) {
            throw new IllegalArgumentException(name + " has no values " + first + " to " + (first + count));
        }
        readElements(entry, first, count, target);
    }

    /** Reads some rows of a matrix; a vector or a scalar is one row. */
    void readRows(String name, long firstRow, long rowCount, FloatBuffer target) {
        Entry entry = readable(name);
        long rows = entry.shape.length < 2 ? 1 : entry.shape[0];
        long columns = entry.shape.length == 0 ? 1 : entry.shape[entry.shape.length - 1];
        if (firstRow < 0 || rowCount < 0 || firstRow > rows - rowCount) {
            throw new IllegalArgumentException(name + " has " + rows + " rows");
        }
        readElements(entry, firstRow * columns, rowCount * columns, target);
    }

    private void readElements(Entry entry, long first, long count, FloatBuffer target) {
        TensorReader.read(file, entry.type, dataStart + entry.begin + entry.type.bytes(first), count, target);
    }

    void digest(MessageDigest digest) {
        file.digest(digest);
    }

    Path path() {
        return file.path();
    }

    long size() {
        return file.size();
    }

    @Override
    public void close() {
        file.close();
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw CheckpointErrors.unknownTensor(file.path(), name);
        }
        return entry;
    }

    private Entry readable(String name) {
        Entry entry = entry(name);
        if (entry.type == null) {
            throw UnsupportedErrors.elementType(file.path(), name, entry.typeName);
        }
        return entry;
    }

    private static SafetensorsFile parse(BoundedFile file) throws Json.MalformedException {
        long headerBytes = file.read(0, 8, "the header's length").getLong();
        if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES) {
            throw new Json.MalformedException("its header claims to be " + Long.toUnsignedString(headerBytes) + " bytes");
        }
        if (file.read(8, 1, "the header").get() != '{') {
            throw new Json.MalformedException("its header is not JSON");
        }
        byte[] header = file.read(8, (int) headerBytes, "the header").array();
        Map<String, Object> members = Json.object(new String(header, StandardCharsets.UTF_8));
        long dataStart = 8 + headerBytes;
        Map<String, String> metadata = new LinkedHashMap<>();
        Map<String, Entry> entries = new LinkedHashMap<>();
        for (Map.Entry<String, Object> member : members.entrySet()) {
            Map<String, Object> value = Json.asObject(member.getValue());
            if (member.getKey().equals("__metadata__")) {
                for (Map.Entry<String, Object> pair : value.entrySet()) {
                    metadata.put(pair.getKey(), String.valueOf(pair.getValue()));
                }
            } else {
                entries.put(member.getKey(), entry(file, member.getKey(), value));
            }
        }
        requireSeamless(file, dataStart, entries);
        return new SafetensorsFile(file, dataStart, entries, metadata);
    }

    private static Entry entry(BoundedFile file, String name, Map<String, Object> value) throws Json.MalformedException {
        String dtype = String.valueOf(value.get("dtype"));
        ElementType type = TYPES.get(dtype);
        if (type == null && !OTHER_BITS.containsKey(dtype)) {
            throw CheckpointErrors.unsupportedElementType(file.path(), name, dtype, "F32, F16 and BF16");
        }
        long[] shape = naturals(name, "shape", value.get("shape"));
        long[] range = naturals(name, "data_offsets", value.get("data_offsets"));
        if (range.length != 2 || range[0] > range[1]) {
            throw new Json.MalformedException("tensor " + name + " has unusable data_offsets");
        }
        try {
            long bits = type == null ? OTHER_BITS.get(dtype) : 8L * type.blockBytes;
            for (long dimension : shape) {
                bits = Math.multiplyExact(bits, dimension);
            }
            long bytes = bits / 8;
            if (bits % 8 != 0 || bytes != range[1] - range[0]) {
                throw new Json.MalformedException("tensor " + name + " needs " + bytes + " bytes but has "
                        + (range[1] - range[0]));
            }
        } catch (ArithmeticException e) {
            throw new Json.MalformedException("the shape of tensor " + name + " is beyond all bounds");
        }
        return new Entry(name, dtype, type, shape, range[0], range[1]);
    }

    private static long[] naturals(String name, String key, Object value) throws Json.MalformedException {
        if (!(value instanceof List<?> list) || list.size() > 8
                || !list.stream().allMatch(e -> e instanceof Long l && l >= 0)) {
            throw new Json.MalformedException("tensor " + name + " has no usable " + key);
        }
        return list.stream().mapToLong(e -> (Long) e).toArray();
    }

    private static void requireSeamless(BoundedFile file, long dataStart, Map<String, Entry> entries)
            throws Json.MalformedException {
        List<Entry> inOrder = new ArrayList<>(entries.values());
        inOrder.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long end = 0;
        for (Entry entry : inOrder) {
            if (entry.begin != end) {
                throw new Json.MalformedException("tensor " + entry.name + " begins at byte " + entry.begin
                        + " of the data where the one before ends at " + end);
            }
            end = entry.end;
            file.requireInside(dataStart, end, "tensor " + entry.name);
        }
        if (dataStart + end != file.size()) {
            throw new Json.MalformedException("there are " + (file.size() - dataStart - end) + " bytes after the last tensor");
        }
    }
}
