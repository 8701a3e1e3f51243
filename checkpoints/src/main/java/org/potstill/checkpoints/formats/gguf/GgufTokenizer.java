// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.tokenizer.ChatTemplateSource;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.checkpoints.tokenizer.TokenizerJson;
import org.potstill.checkpoints.tokenizer.VocabularyPadding;

/**
 * Reader of the tokenizer in GGUF metadata, byte-level BPE or {@link SentencePieceBpe}, as a {@code tokenizer.json}.
 *
 * <p>An unknown pre-tokenizer name, see {@link GgufPreTokenizer}, is an error: a near miss would train the student on
 * tokens that the teacher never saw.
 */
public final class GgufTokenizer {
    static final int TYPE_NORMAL = 1;
    static final int TYPE_UNKNOWN = 2;
    static final int TYPE_CONTROL = 3;
    static final int TYPE_USER_DEFINED = 4;
    static final int TYPE_UNUSED = 5;
    static final int TYPE_BYTE = 6;
    private static final List<String> NAMED = List.of("bos", "eos", "eot", "eom", "unknown", "padding");

    private final Path path;
    private final Map<String, Object> metadata;
    private final int vocabSize;

    private GgufTokenizer(Path path, Map<String, Object> metadata, int vocabSize) {
        this.path = path;
        this.metadata = metadata;
        this.vocabSize = vocabSize;
    }

    public static TokenizerDefinition read(Path path, Map<String, Object> metadata, int vocabSize) {
        return new GgufTokenizer(path, metadata, vocabSize).definition();
    }

    private TokenizerDefinition definition() {
        Object model = required("tokenizer.ggml.model");
        boolean sentencePiece = "llama".equals(model);
        if (!"gpt2".equals(model) && !sentencePiece) {
            throw CheckpointErrors.unsupportedTokenizer(path, "tokenizer.ggml.model", model, "gpt2 (byte-level BPE) and llama (SentencePiece)");
        }
        GgufPreTokenizer pre = sentencePiece ? null : preTokenizer();
        String[] written = strings("tokenizer.ggml.tokens");
        long[] types = types(written.length);
        String[] tokens = distinct(written, types);
        if (tokens.length > vocabSize) {
            throw CheckpointErrors.tokenBeyondRows(path, "\"" + tokens[vocabSize] + "\"", vocabSize, vocabSize);
        }
        Map<String, Object> json = sentencePiece ? sentencePiece(tokens, types, written) : byteLevel(pre, tokens, types, written);
        int bos = tokenId("tokenizer.ggml.bos_token_id", tokens);
        int eos = tokenId("tokenizer.ggml.eos_token_id", tokens);
        return new TokenizerDefinition(TokenizerJson.write(json), bos, eos,
                flag("tokenizer.ggml.add_bos_token", sentencePiece || pre.addsBos()) && bos >= 0 ? List.of(bos) : List.of(),
                flag("tokenizer.ggml.add_eos_token", false) && eos >= 0 ? List.of(eos) : List.of(),
                ChatTemplateSource.join(text("tokenizer.chat_template"), text("tokenizer.chat_template.tool_use")), stopIds());
    }

    private String text(String key) {
        return metadata.get(key) instanceof String text ? text : "";
    }

    private Map<String, Object> byteLevel(GgufPreTokenizer pre, String[] tokens, long[] types, String[] written) {
        return json(addedTokens(tokens, types, TYPE_CONTROL, written), pre.normalizer(), pre.preTokenizer(), GgufPreTokenizer.byteLevel(true),
                bpe(tokens, strings("tokenizer.ggml.merges"), pre.wholeWords()));
    }

    private Map<String, Object> sentencePiece(String[] tokens, long[] types, String[] written) {
        for (String key : List.of("tokenizer.ggml.precompiled_charsmap", "tokenizer.ggml.remove_extra_whitespaces")) {
            Object value = metadata.get(key);
            if (value != null && !Boolean.FALSE.equals(value) && !(value instanceof long[] bytes && bytes.length == 0)) {
                throw CheckpointErrors.unsupportedTokenizer(path, key, "set", "SentencePiece without normalization of text");
            }
        }
        if (!(required("tokenizer.ggml.scores") instanceof double[] scores) || scores.length != tokens.length) {
            throw CheckpointErrors.badTokenizer(path, "tokenizer.ggml.scores does not have one score per token");
        }
        SentencePieceBpe pieces = new SentencePieceBpe(tokens, scores, types, flag("tokenizer.ggml.add_space_prefix", true));
        if (!pieces.hasAllBytes()) {
            throw CheckpointErrors.badTokenizer(path, "a SentencePiece vocabulary needs a token for each byte, <0x00> to <0xFF>");
        }
        return json(pieces.inText(addedTokens(tokens, types, TYPE_UNKNOWN, written)), pieces.normalizer(), null, pieces.decoder(), pieces.model());
    }

    private static Map<String, Object> json(List<?> added, Object normalizer, Object preTokenizer, Object decoder, Object model) {
        return TokenizerJson.members("version", "1.0", "truncation", null, "padding", null, "added_tokens", added, "normalizer", normalizer,
                "pre_tokenizer", preTokenizer, "post_processor", null, "decoder", decoder, "model", model);
    }

    private GgufPreTokenizer preTokenizer() {
        Object name = metadata.get("tokenizer.ggml.pre");
        if (name == null) {
            throw CheckpointErrors.noPreTokenizer(path);
        }
        return GgufPreTokenizer.named(String.valueOf(name)).orElseThrow(() ->
                CheckpointErrors.unsupportedTokenizer(path, "tokenizer.ggml.pre", name, GgufPreTokenizer.names()));
    }

    /**
     * Makes token names unique. Of several tokens with the same text, text can only produce one: the one the metadata
     * name, or else the last in use, as in transformers. The others, and empty ones, get padding names.
     */
    private String[] distinct(String[] tokens, long[] types) {
        Map<String, Integer> meant = new HashMap<>();
        for (int id = 0; id < tokens.length; id++) {
            if (!tokens[id].isEmpty()) {
                meant.merge(tokens[id], id, (one, other) -> importance(one, types) > importance(other, types) ? one : other);
            }
        }
        String[] distinct = new String[tokens.length];
        for (int id = 0; id < tokens.length; id++) {
            boolean isMeant = Integer.valueOf(id).equals(meant.get(tokens[id]));
            distinct[id] = isMeant ? tokens[id] : VocabularyPadding.name(id, name -> !meant.containsKey(name));
        }
        return distinct;
    }

    private int importance(int id, long[] types) {
        boolean isNamed = NAMED.stream().anyMatch(kind -> Long.valueOf(id).equals(metadata.get("tokenizer.ggml." + kind + "_token_id")));
        return isNamed ? 2 : types[id] == TYPE_UNUSED ? 0 : 1;
    }

    /** Returns the ids that end a document, turn or message, without those beyond the model's rows, which it can never output. */
    private List<Integer> stopIds() {
        List<Integer> ids = new ArrayList<>();
        for (String end : List.of("eos", "eot", "eom")) {
            if (metadata.get("tokenizer.ggml." + end + "_token_id") instanceof Long id && id >= 0 && id < vocabSize) {
                ids.add(id.intValue());
            }
        }
        return ids;
    }

    private Map<String, Object> bpe(String[] tokens, String[] merges, boolean ignoreMerges) {
        Map<String, Object> vocabulary = new LinkedHashMap<>();
        for (int id = 0; id < tokens.length; id++) {
            vocabulary.put(tokens[id], (long) id);
        }
        for (String merge : merges) {
            int space = merge.indexOf(' ');
            if (space < 1 || space != merge.lastIndexOf(' ') || space == merge.length() - 1) {
                throw CheckpointErrors.badTokenizer(path, "\"" + merge + "\" is not a merge of two tokens");
            }
            for (String token : List.of(merge.substring(0, space), merge.substring(space + 1), merge.replace(" ", ""))) {
                if (!vocabulary.containsKey(token)) {
                    throw CheckpointErrors.badTokenizer(path, "merge \"" + merge + "\" needs token \"" + token
                            + "\", which is not in the vocabulary");
                }
            }
        }
        return TokenizerJson.members("type", "BPE", "dropout", null, "unk_token", null, "continuing_subword_prefix", null,
                "end_of_word_suffix", null, "fuse_unk", false, "byte_fallback", false, "ignore_merges", ignoreMerges,
                "vocab", vocabulary, "merges", Arrays.asList(merges));
    }

    private long[] types(int count) {
        if (!(required("tokenizer.ggml.token_type") instanceof long[] types) || types.length != count) {
            throw CheckpointErrors.badTokenizer(path, "tokenizer.ggml.token_type does not have one type per token");
        }
        return types;
    }

    /** @param unknown a type whose tokens are special like control tokens */
    private static List<Map<String, Object>> addedTokens(String[] tokens, long[] types, int unknown, String[] written) {
        List<Map<String, Object>> added = new ArrayList<>();
        for (int id = 0; id < tokens.length; id++) {
            if ((types[id] == TYPE_CONTROL || types[id] == unknown || types[id] == TYPE_USER_DEFINED) && tokens[id].equals(written[id])) {
                added.add(TokenizerJson.members("id", (long) id, "content", tokens[id], "single_word", false, "lstrip", false,
                        "rstrip", false, "normalized", false, "special", types[id] != TYPE_USER_DEFINED));
            }
        }
        return added;
    }

    private Object required(String key) {
        Object value = metadata.get(key);
        if (value == null) {
            throw CheckpointErrors.missingKey(path, key);
        }
        return value;
    }

    private String[] strings(String key) {
        if (required(key) instanceof String[] strings) {
            return strings;
        }
        throw CheckpointErrors.badTokenizer(path, key + " is not a list of strings");
    }

    private int tokenId(String key, String[] tokens) {
        Object value = metadata.get(key);
        if (value == null) {
            return -1;
        }
        if (!(value instanceof Long id) || id < 0 || id >= tokens.length) {
            throw CheckpointErrors.badTokenizer(path, key + " is " + value + ", not one of " + tokens.length + " tokens");
        }
        return id.intValue();
    }

    private boolean flag(String key, boolean fallback) {
        Object value = metadata.get(key);
        if (value != null && !(value instanceof Boolean)) {
            throw CheckpointErrors.badTokenizer(path, key + " is " + value + ", neither true nor false");
        }
        return value == null ? fallback : (Boolean) value;
    }
}
