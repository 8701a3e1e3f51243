// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import onnx.Onnx.StringStringEntryProto;
import onnx.Onnx.TensorProto;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;

/**
 * The weights of a ready-made ONNX model, wherever its tensors locate them, and their copy: a single page-aligned file of
 * ours. An engine then opens no file that a model names.
 *
 * <p>A model may only name files in its own folder: no subfolders, absolute paths, or links that lead outside.
 */
final class OnnxWeights {
    private static final int PAGE_BYTES = 4096;
    private static final int CHUNK_BYTES = 1 << 20;
    /** Bits per element by {@link TensorProto.DataType} number, some newer than our classes; 0 without a fixed width. */
    private static final int[] BITS_OF_TYPE =
        {0, 32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64, 128, 16, 8, 8, 8, 8, 4, 4};

    private record Source(String fileName, long offset, long bytes) {
    }

    private final Path modelFile;
    private final Map<String, Long> sizes = new HashMap<>();
    /** Offset of each source in our file. */
    private final Map<Source, Long> layout = new LinkedHashMap<>();
    private long end;
    private long parameters;

    OnnxWeights(Path modelFile) {
        this.modelFile = modelFile;
    }

    /** Returns the tensor with external data moved to our file; checks its old location. */
    TensorProto relocate(TensorProto tensor) {
        count(tensor);
        if (tensor.getDataLocationValue() != TensorProto.DataLocation.EXTERNAL_VALUE) {
            return tensor;
        }
        Source source = source(tensor);
        Long offset = layout.get(source);
        if (offset == null) {
            offset = (end + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
            layout.put(source, offset);
            end = offset + source.bytes;
        }
        return tensor.toBuilder().clearExternalData().clearRawData()
                .addExternalData(entry("location", ExternalWeights.FILE_NAME))
                .addExternalData(entry("offset", Long.toString(offset)))
                .addExternalData(entry("length", Long.toString(source.bytes)))
                .build();
    }

    /** Returns the size of our file in bytes. */
    long bytes() {
        return end;
    }

    /** Returns the number of elements in all tensors except integer ones, which are shapes and indices. */
    long parameters() {
        return parameters;
    }

    /** Returns the names of the files beside the model's own, sorted. */
    SortedSet<String> fileNames() {
        SortedSet<String> names = new TreeSet<>();
        layout.keySet().forEach(source -> names.add(source.fileName));
        names.remove(OnnxModelFile.ITSELF);
        return names;
    }

    Path file(String name) {
        return name.equals(OnnxModelFile.ITSELF) ? modelFile : modelFile.resolveSibling(name);
    }

    void write(Path target) throws IOException {
        Map<String, BoundedFile> open = new HashMap<>();
        try (FileChannel channel = FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            byte[] chunk = new byte[CHUNK_BYTES];
            for (Map.Entry<Source, Long> piece : layout.entrySet()) {
                Source source = piece.getKey();
                BoundedFile file = open.computeIfAbsent(source.fileName, name -> BoundedFile.open(file(name)));
                channel.position(piece.getValue());
                for (long done = 0; done < source.bytes; done += chunk.length) {
                    int count = (int) Math.min(chunk.length, source.bytes - done);
                    file.readInto(source.offset + done, chunk, count);
                    ByteBuffer bytes = ByteBuffer.wrap(chunk, 0, count);
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                }
            }
            channel.force(true);
        } finally {
            open.values().forEach(BoundedFile::close);
        }
    }

    private void count(TensorProto tensor) {
        boolean whole = tensor.getDataType() == TensorProto.DataType.INT64_VALUE
                || tensor.getDataType() == TensorProto.DataType.INT32_VALUE
                || tensor.getDataType() == TensorProto.DataType.BOOL_VALUE;
        if (!whole) {
            parameters += elements(tensor);
        }
    }

    private Source source(TensorProto tensor) {
        Map<String, String> external = new HashMap<>();
        for (StringStringEntryProto entry : tensor.getExternalDataList()) {
            if (external.put(entry.getKey(), entry.getValue()) != null) {
                throw bad(tensor, "says twice what the " + entry.getKey() + " of its data is");
            }
        }
        String location = external.get("location");
        if (location == null) {
            throw bad(tensor, "does not say in which file its data lies");
        }
        long bytes = dataBytes(tensor);
        long offset = number(tensor, external, "offset", 0);
        long length = number(tensor, external, "length", bytes);
        if (length != bytes) {
            throw bad(tensor, "has " + length + " bytes of data where its shape calls for " + bytes);
        }
        long size = sizes.computeIfAbsent(location, this::size);
        if (offset > size || length > size - offset) {
            throw CheckpointErrors.truncated(file(location), "tensor " + tensor.getName(),
                    offset > Long.MAX_VALUE - length ? Long.MAX_VALUE : offset + length, size);
        }
        return new Source(location, offset, length);
    }

    /** Returns the size of a file that is safe to read; rejects any other. */
    private long size(String location) {
        boolean itself = location.equals(OnnxModelFile.ITSELF);
        if (!itself && (!location.matches("[^/\\\\:\\x00-\\x1f]{1,255}") || location.equals(".") || location.equals(".."))) {
            throw CheckpointErrors.onnxDataOutside(modelFile, location);
        }
        Path file = file(location);
        try {
            Path folder = modelFile.toAbsolutePath().getParent().toRealPath();
            if (!itself && !file.toRealPath().startsWith(folder)) {
                throw CheckpointErrors.onnxDataOutside(modelFile, location);
            }
            if (!Files.isRegularFile(file)) {
                throw CheckpointErrors.unreadable(file, new IOException("it is not a regular file"));
            }
            try (BoundedFile data = BoundedFile.open(file)) {
                return data.size();
            }
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(file, e);
        }
    }

    private long dataBytes(TensorProto tensor) {
        int type = tensor.getDataType();
        int bits = type > 0 && type < BITS_OF_TYPE.length ? BITS_OF_TYPE[type] : 0;
        if (bits == 0) {
            throw bad(tensor, "has element type " + type + ", whose width is not known");
        }
        return (elements(tensor) * bits + 7) / 8;
    }

    private long elements(TensorProto tensor) {
        long elements = 1;
        for (long dimension : tensor.getDimsList()) {
            if (dimension < 0 || (dimension > 0 && elements > (1L << 50) / dimension)) {
                throw bad(tensor, "has the impossible shape " + tensor.getDimsList());
            }
            elements *= dimension;
        }
        return elements;
    }

    private long number(TensorProto tensor, Map<String, String> external, String key, long otherwise) {
        String value = external.get(key);
        if (value == null) {
            return otherwise;
        }
        if (!value.matches("[0-9]{1,18}")) {
            throw bad(tensor, "has data whose " + key + " is \"" + value + "\"");
        }
        return Long.parseLong(value);
    }

    private RuntimeException bad(TensorProto tensor, String cause) {
        return CheckpointErrors.malformed(modelFile, "ONNX", "tensor " + tensor.getName() + " " + cause);
    }

    private static StringStringEntryProto entry(String key, String value) {
        return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
    }
}
