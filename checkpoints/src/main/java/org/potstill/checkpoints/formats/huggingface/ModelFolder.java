// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.huggingface;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.ConfigJson;
import org.potstill.checkpoints.tokenizer.HuggingFaceTokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;

/** The Hugging Face files of a ready-made model, in its folder or the one above. */
public final class ModelFolder {
    /** Names that Optimum has given full-precision graphs over the years. */
    private static final List<String> NAMES = List.of("model.onnx", "decoder_model_merged.onnx", "decoder_model.onnx");
    private static final List<String> PLACES = List.of("", "onnx");

    private final Path model;
    private final Path configFile;
    private final String configJson;
    private final Map<String, Object> config;

    public ModelFolder(Path model) {
        this.model = model;
        this.configFile = required("config.json");
        this.configJson = BoundedFile.text(configFile, HuggingFaceCheckpoint.MAX_CONFIG_BYTES);
        try {
            this.config = ConfigJson.ofText(Json.object(configJson));
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.malformed(configFile, "JSON", e.getMessage());
        }
    }

    /**
     * Returns the graph of a folder or its {@code onnx} folder: one of the usual names, or the only one.
     *
     * @throws org.potstill.errors.UserException if there are several others, for example of several precisions
     */
    public static Optional<Path> graph(Path folder) {
        List<Path> usual = PLACES.stream().flatMap(place -> NAMES.stream().map(name -> folder.resolve(place).resolve(name)))
                .filter(BoundedFile::exists).toList();
        if (!usual.isEmpty()) {
            return Optional.of(usual.get(0));
        }
        List<Path> others = PLACES.stream().map(folder::resolve).filter(Files::isDirectory).flatMap(ModelFolder::graphs).toList();
        if (others.size() > 1) {
            throw UnsupportedErrors.lookInside(folder, others);
        }
        return others.stream().findFirst();
    }

    private static Stream<Path> graphs(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".onnx")).sorted().toList().stream();
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(folder, e);
        }
    }

    /** Checks the architecture: a graph from token ids to logits may also be a model that sees the whole text. */
    public void requireCausalLm() {
        if (config.get("architectures") instanceof List<?> names && !names.isEmpty()) {
            String name = String.valueOf(names.get(0));
            if (!name.endsWith("CausalLM") && !name.endsWith("LMHeadModel")) {
                throw CheckpointErrors.notCausalLm(model, "is a " + name + ", as " + configFile + " says");
            }
        }
    }

    /**
     * Returns the vocabulary size.
     *
     * @param declared by the graph, or −1; must agree with the configuration
     */
    public int vocabSize(long declared) {
        Object value = config.get("vocab_size");
        if (declared > 0 && (value == null || value.equals(declared))) {
            return bounded("the logits' last dimension", declared, 1 << 22);
        }
        if (declared > 0) {
            throw CheckpointErrors.badConfig(configFile.toString(),
                    "vocab_size is " + value + " but the graph's logits are " + declared + " wide");
        }
        return bounded("vocab_size", value, 1 << 22);
    }

    public int maxPositionEmbeddings() {
        // The second is GPT-2's name for it.
        String key = config.containsKey("max_position_embeddings") || !config.containsKey("n_positions")
                ? "max_position_embeddings" : "n_positions";
        return bounded(key, config.get(key), 1 << 25);
    }

    public TokenizerDefinition tokenizer(int vocabSize) {
        return HuggingFaceTokenizer.read(required("tokenizer.json").getParent(), configJson, vocabSize);
    }

    private int bounded(String key, Object value, int max) {
        if (!(value instanceof Long number) || number < 1 || number > max) {
            throw CheckpointErrors.badConfig(configFile.toString(), key + " is " + value + ", not between 1 and " + max);
        }
        return number.intValue();
    }

    private Path required(String name) {
        Path folder = model.toAbsolutePath().getParent();
        return Optional.of(folder.resolve(name)).filter(BoundedFile::exists)
                .or(() -> Optional.ofNullable(folder.getParent()).map(p -> p.resolve(name)).filter(BoundedFile::exists))
                .orElseThrow(() -> CheckpointErrors.besideMissing(model, name));
    }
}
