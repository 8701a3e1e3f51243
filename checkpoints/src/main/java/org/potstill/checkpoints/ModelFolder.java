package org.potstill.checkpoints;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What Hugging Face lays beside a ready-made model, in its folder or the one above it. */
final class ModelFolder {
    private static final long MAX_JSON_BYTES = 256 << 20;

    private final Path model;
    private final Path configFile;
    private final Map<String, Object> config;

    ModelFolder(Path model) {
        this.model = model;
        this.configFile = required("config.json");
        this.config = json(configFile);
    }

    /** A graph of token ids to logits may also be of a model that sees the whole text. */
    void requireCausalLm() {
        if (config.get("architectures") instanceof List<?> names && !names.isEmpty()) {
            String name = String.valueOf(names.get(0));
            if (!name.endsWith("CausalLM") && !name.endsWith("LMHeadModel")) {
                throw CheckpointErrors.notCausalLm(model, "is a " + name + ", as " + configFile + " says");
            }
        }
    }

    /** @param declared by the graph, or −1; both may not differ */
    int vocabSize(long declared) {
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

    int maxPositionEmbeddings() {
        // The second is GPT-2's name for it.
        String key = config.containsKey("max_position_embeddings") || !config.containsKey("n_positions")
                ? "max_position_embeddings" : "n_positions";
        return bounded(key, config.get(key), 1 << 25);
    }

    TokenizerDefinition tokenizer() {
        Path file = required("tokenizer.json");
        int bos = id("bos_token_id");
        int eos = id("eos_token_id");
        return new TokenizerDefinition(text(file), bos, eos, bos >= 0 && addsBos(file));
    }

    /** As tokenizer_config.json says, or else if the tokenizer's own template begins with a special token. */
    private boolean addsBos(Path tokenizer) {
        Path settings = tokenizer.resolveSibling("tokenizer_config.json");
        if (Files.isRegularFile(settings) && json(settings).get("add_bos_token") instanceof Boolean said) {
            return said;
        }
        return beginsWithSpecial(json(tokenizer).get("post_processor"));
    }

    private static boolean beginsWithSpecial(Object postProcessor) {
        if (!(postProcessor instanceof Map<?, ?> processor)) {
            return false;
        }
        if (processor.get("processors") instanceof List<?> sequence) {
            return sequence.stream().anyMatch(ModelFolder::beginsWithSpecial);
        }
        return processor.get("single") instanceof List<?> single && !single.isEmpty()
                && single.get(0) instanceof Map<?, ?> first && first.containsKey("SpecialToken");
    }

    /** A model may have several tokens that end a text; the first ends a document. */
    private int id(String key) {
        Object value = config.get(key);
        if (value instanceof List<?> several && !several.isEmpty()) {
            value = several.get(0);
        }
        if (value == null) {
            return -1;
        }
        return value.equals(0L) ? 0 : bounded(key, value, Integer.MAX_VALUE);
    }

    private int bounded(String key, Object value, int max) {
        if (!(value instanceof Long number) || number < 1 || number > max) {
            throw CheckpointErrors.badConfig(configFile.toString(), key + " is " + value + ", not between 1 and " + max);
        }
        return number.intValue();
    }

    private Path required(String name) {
        Path folder = model.toAbsolutePath().getParent();
        return Optional.of(folder.resolve(name)).filter(Files::isRegularFile)
                .or(() -> Optional.ofNullable(folder.getParent()).map(p -> p.resolve(name)).filter(Files::isRegularFile))
                .orElseThrow(() -> CheckpointErrors.besideMissing(model, name));
    }

    private static Map<String, Object> json(Path file) {
        try {
            return Json.object(text(file));
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.malformed(file, "JSON", e.getMessage());
        }
    }

    private static String text(Path file) {
        try {
            long bytes = Files.size(file);
            if (bytes > MAX_JSON_BYTES) {
                throw CheckpointErrors.besideTooLarge(file, bytes, MAX_JSON_BYTES);
            }
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(file, e);
        }
    }
}
