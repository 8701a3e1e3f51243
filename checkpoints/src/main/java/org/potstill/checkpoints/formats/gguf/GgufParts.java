// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.UnsupportedErrors;

/**
 * The files of a GGUF model: one, or the parts {@code …-00001-of-00005.gguf} of {@code llama-gguf-split}, whichever of
 * them is given. The first has the metadata, and may have no tensors; each part has its own tensors.
 */
final class GgufParts implements AutoCloseable {
    private static final Pattern NAME = Pattern.compile("(.*)-([0-9]{5})-of-([0-9]{5})\\.gguf");
    /** Most parts; each is an open file. */
    private static final int MAX_PARTS = 1000;

    private final List<BoundedFile> files = new ArrayList<>();
    private final GgufHeader header;

    private GgufParts(Path path) {
        try {
            header = open(path);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    static GgufParts of(Path path) {
        return new GgufParts(path);
    }

    /** Returns the files in order. */
    List<BoundedFile> files() {
        return files;
    }

    /** Returns the first part's metadata and all parts' tensors. */
    GgufHeader header() {
        return header;
    }

    private GgufHeader open(Path path) {
        BoundedFile file = BoundedFile.open(path);
        files.add(file);
        GgufHeader asked = GgufHeader.read(file);
        long count = number(path, asked, "split.count", 1);
        if (count < 2) {
            return asked;
        }
        long place = number(path, asked, "split.no", 0);
        Matcher name = NAME.matcher(path.getFileName().toString());
        if (!name.matches() || Long.parseLong(name.group(2)) != place + 1 || Long.parseLong(name.group(3)) != count) {
            throw UnsupportedErrors.partName(path, place, count);
        }
        file.close();
        files.clear();
        Map<String, GgufHeader.Tensor> tensors = new LinkedHashMap<>();
        Map<String, Object> metadata = null;
        for (int i = 0; i < count; i++) {
            Path part = path.resolveSibling(String.format(Locale.ROOT, "%s-%05d-of-%05d.gguf", name.group(1), i + 1, count));
            if (!BoundedFile.exists(part)) {
                throw UnsupportedErrors.missingPart(part, path, (int) count);
            }
            files.add(BoundedFile.open(part));
            GgufHeader header = GgufHeader.read(files.get(i));
            metadata = metadata == null ? header.metadata() : metadata;
            if (number(part, header, "split.no", 0) != i || number(part, header, "split.count", 1) != count) {
                throw CheckpointErrors.malformed(part, "GGUF", "it is not part " + (i + 1) + " of " + count + ", as its name says");
            }
            header.tensors().forEach((tensor, where) -> {
                GgufHeader.Tensor other = tensors.put(tensor, where);
                if (other != null) {
                    throw CheckpointErrors.tensorTwice(part, tensor, other.file().path());
                }
            });
        }
        Object all = metadata.getOrDefault("split.tensors.count", (long) tensors.size());
        if (!Long.valueOf(tensors.size()).equals(all)) {
            throw CheckpointErrors.malformed(path, "GGUF", "its parts have " + tensors.size() + " tensors where the first one says " + all);
        }
        return new GgufHeader(metadata, tensors);
    }

    private static long number(Path path, GgufHeader header, String key, long otherwise) {
        Object value = header.metadata().getOrDefault(key, otherwise);
        if (!(value instanceof Long number) || number < 0 || number > MAX_PARTS) {
            throw CheckpointErrors.malformed(path, "GGUF", key + " is not a number from 0 to " + MAX_PARTS);
        }
        return number;
    }

    @Override
    public void close() {
        files.forEach(BoundedFile::close);
    }
}
