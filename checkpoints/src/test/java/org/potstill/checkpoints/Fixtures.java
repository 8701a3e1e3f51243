// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** What {@code bench/fixtures/make_tiny_models.py} wrote. */
public final class Fixtures {
    private Fixtures() {
    }

    public static byte[] bytes(String name) {
        try (InputStream stream = Fixtures.class.getResourceAsStream("/fixtures/" + name)) {
            return stream.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Copies a fixture to a file: checkpoints are read from files. */
    public static Path file(String name, Path folder) {
        try {
            Path file = folder.resolve(name);
            Files.createDirectories(file.getParent());
            return Files.write(file, bytes(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Copies a checkpoint: a GGUF file, or a Hugging Face folder with its shards. */
    public static Path checkpoint(String name, Path folder) {
        if (Fixtures.class.getResource("/fixtures/" + name + ".gguf") != null) {
            return file(name + ".gguf", folder);
        }
        file(name + "/config.json", folder);
        if (Fixtures.class.getResource("/fixtures/" + name + "/model.safetensors") != null) {
            return file(name + "/model.safetensors", folder).getParent();
        }
        Path index = file(name + "/model.safetensors.index.json", folder);
        Pattern.compile("model-\\d+-of-\\d+\\.safetensors")
                .matcher(new String(bytes(name + "/model.safetensors.index.json"), StandardCharsets.UTF_8))
                .results().map(MatchResult::group).distinct().forEach(shard -> file(name + "/" + shard, folder));
        return index.getParent();
    }
}
