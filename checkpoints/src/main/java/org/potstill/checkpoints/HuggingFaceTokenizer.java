package org.potstill.checkpoints;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The tokenizer of a Hugging Face folder: {@code tokenizer.json}, and from {@code tokenizer_config.json} and
 * {@code config.json} which tokens begin and end a document; these two and {@code generation_config.json} also name the
 * tokens that end what the model writes.
 */
final class HuggingFaceTokenizer {
    private static final int MAX_TOKENIZER_BYTES = 1 << 27;
    private static final int MAX_CONFIG_BYTES = 1 << 23;

    private final Path file;
    private final Map<String, Object> tokenizer;
    private final Map<String, Object> tokenizerConfig;
    private final Map<String, Object> config;
    private final Map<String, Object> generationConfig;
    private final int vocabSize;
    private final Map<String, Long> ids = new HashMap<>();

    private HuggingFaceTokenizer(Path file, Map<String, Object> tokenizer, Map<String, Object> tokenizerConfig,
            Map<String, Object> config, Map<String, Object> generationConfig, int vocabSize) {
        this.file = file;
        this.tokenizer = tokenizer;
        this.tokenizerConfig = tokenizerConfig;
        this.config = config;
        this.generationConfig = generationConfig;
        this.vocabSize = vocabSize;
    }

    static TokenizerDefinition read(Path folder, String configJson, int vocabSize) {
        Path file = folder.resolve("tokenizer.json");
        if (!Files.exists(file)) {
            throw CheckpointErrors.noTokenizer(folder);
        }
        String json = HuggingFaceCheckpoint.text(file, MAX_TOKENIZER_BYTES);
        try {
            Map<String, Object> tokenizerConfig = members(folder.resolve("tokenizer_config.json"));
            return new HuggingFaceTokenizer(file, Json.object(json), tokenizerConfig, Json.object(configJson),
                    members(folder.resolve("generation_config.json")), vocabSize)
                    .definition(json, chatTemplate(folder, tokenizerConfig));
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizer(file, e.getMessage());
        }
    }

    /** What a file says; nothing where there is none. */
    private static Map<String, Object> members(Path file) {
        if (!Files.exists(file)) {
            return Map.of();
        }
        try {
            return Json.object(HuggingFaceCheckpoint.text(file, MAX_CONFIG_BYTES));
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.malformed(file, "JSON", e.getMessage());
        }
    }

    /** In a file of its own, or in tokenizer_config.json: one, or several with names. */
    private static String chatTemplate(Path folder, Map<String, Object> tokenizerConfig) {
        Path file = folder.resolve("chat_template.jinja");
        if (Files.isRegularFile(file)) {
            return HuggingFaceCheckpoint.text(file, MAX_CONFIG_BYTES);
        }
        Object template = tokenizerConfig.get("chat_template");
        if (template instanceof List<?> several) {
            template = several.stream().filter(each -> each instanceof Map<?, ?> named && "default".equals(named.get("name")))
                    .map(each -> ((Map<?, ?>) each).get("template")).findFirst().orElse(null);
        }
        return template instanceof String text ? text : "";
    }

    /** What {@link #read} reads back as this definition's document tokens and template. */
    static String config(TokenizerDefinition definition) {
        Map<String, Object> members = new LinkedHashMap<>();
        members.put("tokenizer_class", "PreTrainedTokenizerFast");
        members.put("bos_token", null);
        members.put("eos_token", null);
        ids(definition).forEach((content, id) -> {
            if (id == definition.bosId()) {
                members.put("bos_token", content);
            }
            if (id == definition.eosId()) {
                members.put("eos_token", content);
            }
        });
        members.put("add_bos_token", definition.addBos());
        if (!definition.chatTemplate().isEmpty()) {
            members.put("chat_template", definition.chatTemplate());
        }
        return TokenizerJson.write(members) + "\n";
    }

    /** Every token and its id. */
    static Map<String, Long> ids(TokenizerDefinition definition) {
        try {
            HuggingFaceTokenizer tokenizer = new HuggingFaceTokenizer(Path.of("tokenizer.json"), Json.object(definition.json()),
                    Map.of(), Map.of(), Map.of(), Integer.MAX_VALUE);
            tokenizer.collectIds();
            return tokenizer.ids;
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    /** Where the first token is not in the file's template, one that puts it there. */
    static String withTemplate(TokenizerDefinition definition) {
        try {
            Map<String, Object> tokenizer = Json.object(definition.json());
            Object processor = tokenizer.get("post_processor");
            if (!definition.addBos() || firstOfTemplate(processor) >= 0) {
                return definition.json();
            }
            String first = ids(definition).entrySet().stream().filter(token -> token.getValue() == definition.bosId())
                    .map(Map.Entry::getKey).findFirst().orElseThrow();
            Map<String, Object> bos = Map.of("SpecialToken", Map.of("id", first, "type_id", 0L));
            Map<String, Object> template = new LinkedHashMap<>();
            template.put("type", "TemplateProcessing");
            template.put("single", List.of(bos, sequence("A", 0)));
            template.put("pair", List.of(bos, sequence("A", 0), bos, sequence("B", 1)));
            template.put("special_tokens", Map.of(first,
                    Map.of("id", first, "ids", List.of((long) definition.bosId()), "tokens", List.of(first))));
            tokenizer.put("post_processor", processor == null ? template
                    : Map.of("type", "Sequence", "processors", List.of(processor, template)));
            return TokenizerJson.write(tokenizer);
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    private static Map<String, Object> sequence(String id, long type) {
        return Map.of("Sequence", Map.of("id", id, "type_id", type));
    }

    private TokenizerDefinition definition(String json, String chatTemplate) throws Json.MalformedException {
        collectIds();
        int eos = documentToken("eos");
        int first = firstOfTemplate(tokenizer.get("post_processor"));
        if (first >= 0) {
            return new TokenizerDefinition(json, checked("bos", (long) first), eos, true, chatTemplate, stopIds());
        }
        int bos = documentToken("bos");
        return new TokenizerDefinition(json, bos, eos, bos >= 0 && Boolean.TRUE.equals(tokenizerConfig.get("add_bos_token")),
                chatTemplate, stopIds());
    }

    /** The ids in the two configurations; one that the model has no row for can never be written. */
    private List<Integer> stopIds() {
        List<Integer> ids = new ArrayList<>();
        for (Map<String, Object> from : List.of(config, generationConfig)) {
            Object ends = from.get("eos_token_id");
            for (Object id : ends instanceof List<?> several ? several : Collections.singletonList(ends)) {
                if (id instanceof Long number && number >= 0 && number < vocabSize) {
                    ids.add(number.intValue());
                }
            }
        }
        return ids;
    }

    private void collectIds() throws Json.MalformedException {
        Object vocabulary = Json.asObject(tokenizer.get("model")).get("vocab");
        if (vocabulary instanceof List<?> pieces) {
            for (int i = 0; i < pieces.size(); i++) {
                Object name = pieces.get(i) instanceof List<?> piece && !piece.isEmpty() ? piece.get(0) : null;
                ids.put(String.valueOf(name), (long) checked("\"" + name + "\"", (long) i));
            }
        } else {
            for (Map.Entry<String, Object> token : Json.asObject(vocabulary).entrySet()) {
                ids.put(token.getKey(), (long) checked("\"" + token.getKey() + "\"", token.getValue()));
            }
        }
        for (Map<String, Object> added : TokenizerJson.addedTokens(tokenizer)) {
            // A control token that the model has no row for does no harm: no text becomes it.
            if (!Boolean.TRUE.equals(added.get("special"))) {
                checked("\"" + added.get("content") + "\"", added.get("id"));
            }
            if (added.get("id") instanceof Long id) {
                ids.put(String.valueOf(added.get("content")), id);
            }
        }
    }

    private int checked(String token, Object id) {
        if (!(id instanceof Long number) || number < 0 || number >= vocabSize) {
            throw CheckpointErrors.badTokenizer(file, "the token " + token + " has the id " + id
                    + " but the model's embedding has " + vocabSize + " rows");
        }
        return number.intValue();
    }

    /** The token that tokenizer_config.json names or, where it says nothing, the first id that config.json gives; −1 for none. */
    private int documentToken(String kind) {
        Object value;
        if (tokenizerConfig.containsKey(kind + "_token")) {
            Object token = tokenizerConfig.get(kind + "_token");
            Object content = token instanceof Map<?, ?> added ? added.get("content") : token;
            if (content == null) {
                return -1;
            }
            value = ids.get(String.valueOf(content));
        } else {
            value = config.get(kind + "_token_id");
            if (value instanceof List<?> several && !several.isEmpty()) {
                value = several.get(0);
            }
            if (value == null) {
                return -1;
            }
        }
        return checked(kind, value);
    }

    /** The token that a template puts before a text, or −1: {@code A} in {@code <s> A}. */
    private static int firstOfTemplate(Object processor) throws Json.MalformedException {
        if (!(processor instanceof Map<?, ?> map)) {
            return -1;
        }
        if (map.get("processors") instanceof List<?> sequence) {
            for (Object member : sequence) {
                int first = firstOfTemplate(member);
                if (first >= 0) {
                    return first;
                }
            }
            return -1;
        }
        if (!(map.get("single") instanceof List<?> single) || single.isEmpty()
                || !(Json.asObject(single.get(0)).get("SpecialToken") instanceof Map<?, ?> special)) {
            return -1;
        }
        Object token = Json.asObject(map.get("special_tokens")).get(special.get("id"));
        if (token instanceof Map<?, ?> ids && ids.get("ids") instanceof List<?> list && !list.isEmpty()
                && list.get(0) instanceof Long id && id >= 0 && id <= Integer.MAX_VALUE) {
            return id.intValue();
        }
        throw new Json.MalformedException("its template begins with " + special.get("id") + ", which has no id");
    }
}
