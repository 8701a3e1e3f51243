// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;

/**
 * Reader and writer of the tokenizer in a Hugging Face folder: {@code tokenizer.json}; the tokens that begin and end a
 * document, from {@code tokenizer_config.json} and {@code config.json}; and the tokens that end the model's output, from
 * these two and {@code generation_config.json}.
 */
public final class HuggingFaceTokenizer {
    private static final int MAX_TOKENIZER_BYTES = 1 << 27;
    private static final int MAX_CONFIG_BYTES = 1 << 23;
    private static final String PREFIX_SPACE = "add_prefix_space";
    private static final TokenizerTemplate NO_TEMPLATE = new TokenizerTemplate(List.of(), List.of());
    /** The members that {@link #config} writes. In folders of older students, only its flags tell what begins a document. */
    private static final Set<String> OUR_CONFIG = Set.of("tokenizer_class", "bos_token", "eos_token", "add_bos_token", "add_eos_token",
            PREFIX_SPACE, "chat_template");

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

    public static TokenizerDefinition read(Path folder, String configJson, int vocabSize) {
        Path file = folder.resolve("tokenizer.json");
        if (!BoundedFile.exists(file)) {
            throw CheckpointErrors.noTokenizer(folder);
        }
        String json = BoundedFile.text(file, MAX_TOKENIZER_BYTES);
        try {
            Map<String, Object> tokenizerConfig = members(folder.resolve("tokenizer_config.json"));
            return new HuggingFaceTokenizer(file, Json.object(json), tokenizerConfig, Json.object(configJson),
                    members(folder.resolve("generation_config.json")), vocabSize)
                    .definition(json, ChatTemplateSource.in(folder, tokenizerConfig));
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizer(file, e.getMessage());
        }
    }

    /** Returns the members of a file; empty if it does not exist. */
    private static Map<String, Object> members(Path file) {
        if (!BoundedFile.exists(file)) {
            return Map.of();
        }
        try {
            return Json.object(BoundedFile.text(file, MAX_CONFIG_BYTES));
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.malformed(file, "JSON", e.getMessage());
        }
    }

    /** Writes a {@code tokenizer_config.json} from which {@link #read} restores the definition's document tokens and template. */
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
        if (!definition.end().isEmpty()) {
            members.put("add_eos_token", true);
        }
        if (putsPrefixSpace(definition)) {
            members.put(PREFIX_SPACE, true);
        }
        if (!definition.chatTemplate().isEmpty()) {
            members.put("chat_template", definition.chatTemplate());
        }
        return TokenizerJson.write(members) + "\n";
    }

    private static boolean putsPrefixSpace(TokenizerDefinition definition) {
        try {
            Map<String, Object> tokenizer = Json.object(definition.json());
            return isByteLevel(tokenizer) && putsPrefixSpace(tokenizer);
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    /** Returns every token with its id. */
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

    /** Returns the file with the definition's template, if that differs from its own. */
    static String withTemplate(TokenizerDefinition definition) {
        try {
            Map<String, Object> tokenizer = Json.object(definition.json());
            Object processor = tokenizer.get("post_processor");
            TokenizerTemplate wanted = new TokenizerTemplate(definition.begin(), definition.end());
            if (TokenizerTemplate.of(processor).orElse(NO_TEMPLATE).equals(wanted)) {
                return definition.json();
            }
            Map<Integer, String> names = new HashMap<>();
            ids(definition).forEach((name, id) -> names.put(id.intValue(), name));
            tokenizer.put("post_processor", wanted.in(processor, names));
            return TokenizerJson.write(tokenizer);
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    private TokenizerDefinition definition(String json, String chatTemplate) throws Json.MalformedException {
        collectIds();
        // Our own tokenizer.json has all of its tokens, and is read back as it was written.
        boolean changed = !OUR_CONFIG.containsAll(tokenizerConfig.keySet()) && new ConfiguredTokens(file, tokenizer, ids).add(tokenizerConfig);
        String complete = changed ? TokenizerJson.write(tokenizer) : json;
        int eos = documentToken("eos");
        TokenizerTemplate template = template();
        for (int id : template.begin()) {
            checked("bos", (long) id);
        }
        for (int id : template.end()) {
            checked("eos", (long) id);
        }
        int bos = template.begin().isEmpty() ? documentToken("bos") : template.begin().get(0);
        return new TokenizerDefinition(withPrefixSpace(complete), bos, eos, template.begin(), template.end(), chatTemplate, stopIds());
    }

    /** Adds or removes the space before texts as transformers would. */
    private String withPrefixSpace(String json) {
        boolean isOfOlderStudent = OUR_CONFIG.containsAll(tokenizerConfig.keySet()) && !tokenizerConfig.containsKey(PREFIX_SPACE);
        boolean wanted = Boolean.TRUE.equals(tokenizerConfig.get(PREFIX_SPACE));
        if (isOfOlderStudent || !TokenizerClass.setsPrefixSpace(tokenizerConfig, config) || !isByteLevel(tokenizer)
                || putsPrefixSpace(tokenizer) == wanted) {
            return json;
        }
        Map<String, Object> cut = new LinkedHashMap<>();
        ((Map<?, ?>) tokenizer.get("pre_tokenizer")).forEach((name, value) -> cut.put(String.valueOf(name), value));
        cut.put(PREFIX_SPACE, wanted);
        Map<String, Object> changed = new LinkedHashMap<>(tokenizer);
        changed.put("pre_tokenizer", cut);
        return TokenizerJson.write(changed);
    }

    private static boolean isByteLevel(Map<String, Object> tokenizer) {
        return tokenizer.get("pre_tokenizer") instanceof Map<?, ?> cut && "ByteLevel".equals(cut.get("type"));
    }

    /** Returns whether a byte-level tokenizer adds a space before a text; the library's default is yes. */
    private static boolean putsPrefixSpace(Map<String, Object> tokenizer) {
        return !Boolean.FALSE.equals(((Map<?, ?>) tokenizer.get("pre_tokenizer")).get(PREFIX_SPACE));
    }

    /** Returns the tokens that transformers adds around a text. */
    private TokenizerTemplate template() throws Json.MalformedException {
        Optional<TokenizerTemplate> written = TokenizerTemplate.of(tokenizer.get("post_processor"));
        TokenizerClass kind = TokenizerClass.of(tokenizerConfig, config);
        if (kind == TokenizerClass.OTHER && (written.isPresent() || !OUR_CONFIG.containsAll(tokenizerConfig.keySet()))) {
            return written.orElse(NO_TEMPLATE);
        }
        if (kind == TokenizerClass.NEITHER) {
            return NO_TEMPLATE;
        }
        TokenizerTemplate fallback = written.orElse(NO_TEMPLATE);
        return new TokenizerTemplate(flag("add_bos_token", kind.addsBos) ? token("bos", kind.bos, fallback.begin()) : List.of(),
                flag("add_eos_token", false) ? token("eos", kind.eos, fallback.end()) : List.of());
    }

    private boolean flag(String key, boolean fallback) {
        // As in Python, null counts as false.
        return tokenizerConfig.containsKey(key) ? Boolean.TRUE.equals(tokenizerConfig.get(key)) : fallback;
    }

    /**
     * Returns the token of a kind: the configured one, else the class's own, else the fallback.
     *
     * @param usual    the class's own token, for folders that configure none
     * @param fallback if the vocabulary has neither
     */
    private List<Integer> token(String kind, String usual, List<Integer> fallback) {
        boolean isNamed = tokenizerConfig.containsKey(kind + "_token");
        if (isNamed && !fallback.isEmpty() && !ids.containsKey(name(kind))) {
            return fallback;
        }
        int id = documentToken(kind);
        Long own = isNamed ? null : ids.get(usual);
        return id >= 0 ? List.of(id) : own == null ? fallback : List.of(checked(kind, own));
    }

    /** Returns the ids in the two configurations, without those beyond the model's rows, which it can never output. */
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
            // The id may lie beyond the model's rows: some tokenizers have tokens that their model never saw.
            if (added.get("id") instanceof Long id && id >= 0 && id <= Integer.MAX_VALUE) {
                ids.put(String.valueOf(added.get("content")), id);
            }
        }
    }

    private int checked(String token, Object id) {
        if (!(id instanceof Long number) || number < 0 || number >= vocabSize) {
            throw CheckpointErrors.tokenBeyondRows(file, token, id, vocabSize);
        }
        return number.intValue();
    }

    /** Returns the token's name in tokenizer_config.json, or null. */
    private String name(String kind) {
        Object token = tokenizerConfig.get(kind + "_token");
        Object content = token instanceof Map<?, ?> added ? added.get("content") : token;
        return content == null ? null : String.valueOf(content);
    }

    /**
     * Returns the id of the token that tokenizer_config.json names or, if it has no entry, the first id in config.json;
     * −1 for none.
     */
    private int documentToken(String kind) {
        Object value;
        if (tokenizerConfig.containsKey(kind + "_token")) {
            String name = name(kind);
            if (name == null) {
                return -1;
            }
            value = ids.get(name);
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
}
