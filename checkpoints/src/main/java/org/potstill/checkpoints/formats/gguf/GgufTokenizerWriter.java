// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.checkpoints.tokenizer.TokenizerJson;
import org.potstill.checkpoints.tokenizer.VocabularyPadding;

/**
 * Writer of a byte-level BPE tokenizer into GGUF metadata, the inverse of {@link GgufTokenizer}. A tokenizer that would
 * not survive the round trip is rejected.
 */
final class GgufTokenizerWriter {
    private static final List<String> ENDS = List.of("eos", "eot", "eom");

    private final TokenizerDefinition definition;
    private final int vocabSize;
    private final Map<String, Object> tokenizer;
    private final GgufPreTokenizer preTokenizer;
    private final String[] tokens;
    private final int[] types;
    private final List<String> merges = new ArrayList<>();

    /** @param vocabSize rows of the embedding table: llama.cpp requires a token for each */
    GgufTokenizerWriter(TokenizerDefinition definition, int vocabSize) {
        this.definition = definition;
        this.vocabSize = vocabSize;
        this.tokens = new String[vocabSize];
        this.types = new int[vocabSize];
        try {
            tokenizer = Json.object(definition.json());
            Map<String, Object> model = Json.asObject(tokenizer.get("model"));
            requireByteLevel(model);
            preTokenizer = GgufPreTokenizer.of(tokenizer).orElseThrow(() -> CheckpointErrors.notForGguf(
                    "llama.cpp has no name for the way its tokenizer cuts text; known here are those called "
                    + GgufPreTokenizer.names()));
            addTokens(Json.asObject(model.get("vocab")));
            addMerges(model.get("merges"));
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    private void requireByteLevel(Map<String, Object> model) {
        boolean plain = List.of("continuing_subword_prefix", "end_of_word_suffix").stream()
                .allMatch(key -> model.get(key) == null || "".equals(model.get(key)));
        if (!"BPE".equals(model.get("type")) || Boolean.TRUE.equals(model.get("byte_fallback")) || !plain
                || !(tokenizer.get("decoder") instanceof Map<?, ?> decoder) || !"ByteLevel".equals(decoder.get("type"))) {
            throw CheckpointErrors.notForGguf("its tokenizer is no byte-level BPE, the only kind that is written");
        }
    }

    private void addTokens(Map<String, Object> vocabulary) throws Json.MalformedException {
        for (Map.Entry<String, Object> token : vocabulary.entrySet()) {
            add(token.getKey(), token.getValue(), GgufTokenizer.TYPE_NORMAL);
        }
        for (Map<String, Object> added : TokenizerJson.addedTokens(tokenizer)) {
            String content = String.valueOf(added.get("content"));
            for (String trait : List.of("lstrip", "rstrip", "single_word")) {
                if (Boolean.TRUE.equals(added.get(trait))) {
                    throw CheckpointErrors.notForGguf("its token \"" + content + "\" has the trait " + trait + ", which GGUF cannot say");
                }
            }
            add(content, added.get("id"), Boolean.TRUE.equals(added.get("special"))
                    ? GgufTokenizer.TYPE_CONTROL : GgufTokenizer.TYPE_USER_DEFINED);
        }
        Set<String> taken = new HashSet<>(Arrays.asList(tokens));
        for (int id = 0; id < vocabSize; id++) {
            if (tokens[id] == null) {
                tokens[id] = VocabularyPadding.name(id, taken::add);
                types[id] = GgufTokenizer.TYPE_UNUSED;
            }
        }
    }

    private void add(String content, Object id, int type) {
        // Added tokens may lie beyond the rows; the model never saw those.
        if (id instanceof Long number && number >= 0 && number < vocabSize) {
            tokens[number.intValue()] = content;
            types[number.intValue()] = type;
        }
    }

    private void addMerges(Object list) throws Json.MalformedException {
        if (!(list instanceof List<?> pairs)) {
            throw new Json.MalformedException("its model has no merges");
        }
        for (Object pair : pairs) {
            String merge = pair instanceof List<?> two ? two.get(0) + " " + two.get(two.size() - 1) : String.valueOf(pair);
            if (merge.indexOf(' ') < 1 || merge.indexOf(' ') != merge.lastIndexOf(' ')) {
                throw CheckpointErrors.notForGguf("\"" + merge + "\" is not a merge of two tokens without spaces");
            }
            merges.add(merge);
        }
    }

    /** Returns the end tokens for which the file has no place: it can name three, beginning with the document's own. */
    List<Integer> unnamedEnds() {
        List<Integer> ends = ends();
        return ends.subList(Math.min(ENDS.size(), ends.size()), ends.size());
    }

    /** Returns whether the file cannot express what begins documents. */
    boolean beginsOtherwise() {
        return definition.addBos() && !definition.begin().equals(List.of(definition.bosId()));
    }

    private List<Integer> ends() {
        List<Integer> ends = new ArrayList<>(definition.stopIds());
        if (ends.remove((Integer) definition.eosId())) {
            ends.add(0, definition.eosId());
        }
        return ends;
    }

    void write(GgufHeaderWriter header) {
        header.put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.pre", preTokenizer.ggufName)
                .put("tokenizer.ggml.tokens", Arrays.asList(tokens))
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.merges", merges)
                // Tokens after a document are omitted: llama.cpp would add them after prompts too.
                .put("tokenizer.ggml.add_bos_token", definition.addBos());
        if (definition.bosId() >= 0) {
            header.put("tokenizer.ggml.bos_token_id", definition.bosId());
        }
        List<Integer> ends = ends();
        for (int i = 0; i < Math.min(ENDS.size(), ends.size()); i++) {
            header.put("tokenizer.ggml." + ENDS.get(i) + "_token_id", ends.get(i));
        }
        if (!definition.chatTemplate().isEmpty()) {
            header.put("tokenizer.chat_template", definition.chatTemplate());
        }
    }
}
