// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.potstill.checkpoints.Fixtures;

/** What {@code bench/fixtures/make_tiny_onnx.py} wrote: models plain, past, half, merged and gpt2. */
public final class ReadyMade {
    public static final int VOCABULARY = 304;

    private ReadyMade() {
    }

    /** Lays a model out as Optimum does, its configuration one folder up; returns the graph's file. */
    public static Path copy(String name, Path folder) {
        try {
            Files.createDirectories(folder.resolve("onnx"));
            Files.write(folder.resolve("config.json"), Fixtures.bytes("onnx/config.json"));
            Files.write(folder.resolve("tokenizer.json"), Fixtures.bytes("onnx/tokenizer.json"));
            if (name.equals("past")) {
                Files.write(folder.resolve("onnx/past.onnx_data"), Fixtures.bytes("onnx/past.onnx_data"));
            }
            return Files.write(folder.resolve("onnx/" + name + ".onnx"), Fixtures.bytes("onnx/" + name + ".onnx"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Three texts of different lengths. */
    public static List<int[]> ids() {
        String[] lines = new String(Fixtures.bytes("onnx/ids"), StandardCharsets.US_ASCII).trim().split("\n");
        return Arrays.stream(lines).map(line -> Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray()).toList();
    }

    /** transformers' logits of those texts, one after another: [all their positions, V]. */
    public static float[] logits(String name) {
        String model = switch (name) {
            case "half", "gpt2" -> name;
            default -> "llama";
        };
        ByteBuffer bytes = ByteBuffer.wrap(Fixtures.bytes("onnx/" + model + ".logits")).order(ByteOrder.LITTLE_ENDIAN);
        float[] logits = new float[bytes.remaining() / 4];
        bytes.asFloatBuffer().get(logits);
        return logits;
    }
}
