package org.potstill.teacher;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;

/** The {@code config.json} beside a model file that does not say itself how long a text it reads. */
final class ModelConfig {
    private static final long MAX_BYTES = 16 << 20;

    private ModelConfig() {
    }

    static InputLimits beside(Path model) {
        Path file = model.resolveSibling("config.json");
        try {
            if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
                throw TeacherErrors.badModelConfig(file, "there is no such file, or it is larger than 16 MiB");
            }
            return read(file, Files.readString(file));
        } catch (IOException | IllegalStateException | NumberFormatException e) {
            throw TeacherErrors.badModelConfig(file, String.valueOf(e.getMessage()));
        }
    }

    private static InputLimits read(Path file, String text) throws IOException {
        int vocabSize = 0;
        int maxPositionEmbeddings = 0;
        try (JsonReader json = new JsonReader(new StringReader(text))) {
            json.beginObject();
            while (json.hasNext()) {
                String name = json.nextName();
                if (name.equals("vocab_size") && json.peek() == JsonToken.NUMBER) {
                    vocabSize = json.nextInt();
                } else if (name.equals("max_position_embeddings") && json.peek() == JsonToken.NUMBER) {
                    maxPositionEmbeddings = json.nextInt();
                } else {
                    json.skipValue();
                }
            }
            json.endObject();
        }
        if (vocabSize < 2 || vocabSize > 1 << 22 || maxPositionEmbeddings < 2 || maxPositionEmbeddings > 1 << 25) {
            throw TeacherErrors.badModelConfig(file, "vocab_size is " + vocabSize + " and max_position_embeddings is "
                    + maxPositionEmbeddings);
        }
        return new InputLimits(vocabSize, maxPositionEmbeddings);
    }
}
