// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;

/**
 * Tokens that {@code tokenizer_config.json} has and {@code tokenizer.json} does not search texts for. transformers adds them when it
 * loads a folder: those of the vocabulary with their ids there, the others behind it.
 */
final class ConfiguredTokens {
    private static final List<String> KINDS = List.of("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token");
    private static final List<String> MORE = List.of("additional_special_tokens", "extra_special_tokens");

    private final Path file;
    private final Map<String, Object> tokenizer;
    private final Map<String, Long> ids;

    /**
     * @param tokenizer content of {@code tokenizer.json}; gets the tokens
     * @param ids       every token of the tokenizer; likewise
     */
    ConfiguredTokens(Path file, Map<String, Object> tokenizer, Map<String, Long> ids) {
        this.file = file;
        this.tokenizer = tokenizer;
        this.ids = ids;
    }

    /**
     * Adds the tokens, and returns whether there are any.
     *
     * @throws org.potstill.errors.UserException if a token would get another id than the configuration says, as after a faulty conversion
     */
    boolean add(Map<String, Object> tokenizerConfig) throws Json.MalformedException {
        List<Object> added = new ArrayList<>(TokenizerJson.addedTokens(tokenizer));
        Set<Object> known = added.stream().map(each -> ((Map<?, ?>) each).get("content")).collect(Collectors.toSet());
        int before = added.size();
        Map<String, Map<?, ?>> special = special(tokenizerConfig);
        long next = 1 + ids.values().stream().mapToLong(Long::longValue).max().orElse(-1);
        for (Map.Entry<Long, Map<?, ?>> listed : listed(tokenizerConfig)) {
            if (listed.getValue().get("content") instanceof String content && known.add(content)) {
                long id = ids.getOrDefault(content, next);
                if (id != listed.getKey()) {
                    throw CheckpointErrors.otherToken(file, content, listed.getKey());
                }
                ids.put(content, id);
                next = Math.max(next, id + 1);
                added.add(token(content, id, listed.getValue(), special.containsKey(content) || isSet(listed.getValue(), "special")));
            }
        }
        special.forEach((content, flags) -> {
            // What the vocabulary lacks, the model cannot know.
            if (ids.containsKey(content) && known.add(content)) {
                added.add(token(content, ids.get(content), flags, true));
            }
        });
        tokenizer.put("added_tokens", added);
        return added.size() > before;
    }

    /** Returns the special tokens that the configuration names, with their flags. */
    private static Map<String, Map<?, ?>> special(Map<String, Object> tokenizerConfig) {
        Map<String, Map<?, ?>> special = new LinkedHashMap<>();
        List<Object> named = new ArrayList<>();
        KINDS.forEach(kind -> named.add(tokenizerConfig.get(kind)));
        for (String several : MORE) {
            Object tokens = tokenizerConfig.get(several);
            named.addAll(tokens instanceof List<?> list ? list : tokens instanceof Map<?, ?> map ? map.values() : List.of());
        }
        for (Object token : named) {
            Map<?, ?> flags = token instanceof Map<?, ?> map ? map : Map.of();
            if ((flags.isEmpty() ? token : flags.get("content")) instanceof String content) {
                special.putIfAbsent(content, flags);
            }
        }
        return special;
    }

    /** Returns the entries of {@code added_tokens_decoder} in the order of their ids. */
    private static List<Map.Entry<Long, Map<?, ?>>> listed(Map<String, Object> tokenizerConfig) {
        List<Map.Entry<Long, Map<?, ?>>> listed = new ArrayList<>();
        if (tokenizerConfig.get("added_tokens_decoder") instanceof Map<?, ?> decoder) {
            decoder.forEach((id, token) -> {
                if (String.valueOf(id).matches("[0-9]{1,9}") && token instanceof Map<?, ?> flags) {
                    listed.add(Map.entry(Long.valueOf(String.valueOf(id)), flags));
                }
            });
        }
        listed.sort(Comparator.comparing(Map.Entry::getKey));
        return listed;
    }

    private static boolean isSet(Map<?, ?> flags, String name) {
        return Boolean.TRUE.equals(flags.get(name));
    }

    private static Map<String, Object> token(String content, long id, Map<?, ?> flags, boolean special) {
        Map<String, Object> token = new LinkedHashMap<>();
        token.put("id", id);
        token.put("content", content);
        for (String flag : List.of("single_word", "lstrip", "rstrip")) {
            token.put(flag, isSet(flags, flag));
        }
        token.put("normalized", flags.get("normalized") instanceof Boolean normalized ? normalized : !special);
        token.put("special", special);
        return token;
    }
}
