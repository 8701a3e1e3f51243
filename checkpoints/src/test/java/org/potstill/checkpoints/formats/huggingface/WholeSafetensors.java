// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.huggingface;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.LongStream;

/** Writes small safetensors files from whole tensors: the naive twin of {@link Safetensors}. */
public final class WholeSafetensors {
    private WholeSafetensors() {
    }

    /** @param values of each tensor, from the buffer's position to its limit */
    public static void write(Path target, Map<String, long[]> shapes, Map<String, String> metadata, Function<String, FloatBuffer> values) {
        JsonObject header = new JsonObject();
        if (!metadata.isEmpty()) {
            JsonObject pairs = new JsonObject();
            new TreeMap<>(metadata).forEach(pairs::addProperty);
            header.add("__metadata__", pairs);
        }
        long end = 0;
        for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
            long begin = end;
            end += 4 * LongStream.of(tensor.getValue()).reduce(1, (a, b) -> a * b);
            JsonObject entry = new JsonObject();
            entry.addProperty("dtype", "F32");
            entry.add("shape", array(tensor.getValue()));
            entry.add("data_offsets", array(begin, end));
            header.add(tensor.getKey(), entry);
        }
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        int padding = -json.length & 7;
        ByteBuffer bytes = ByteBuffer.allocate((int) (8 + json.length + padding + end)).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(json.length + padding).put(json).put(" ".repeat(padding).getBytes(StandardCharsets.UTF_8));
        for (String name : shapes.keySet()) {
            FloatBuffer tensor = values.apply(name);
            while (tensor.hasRemaining()) {
                bytes.putFloat(tensor.get());
            }
        }
        if (bytes.hasRemaining()) {
            throw new IllegalArgumentException("tensors have fewer values than their shapes say");
        }
        try {
            Files.write(target, bytes.array());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static JsonArray array(long... numbers) {
        JsonArray array = new JsonArray();
        for (long number : numbers) {
            array.add(number);
        }
        return array;
    }
}
