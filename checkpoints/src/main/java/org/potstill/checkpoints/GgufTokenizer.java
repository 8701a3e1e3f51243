package org.potstill.checkpoints;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The byte-level BPE tokenizer in GGUF metadata, as a {@code tokenizer.json}.
 *
 * <p>An unknown name of how text is cut before merging, see {@link GgufPreTokenizer}, is an error: a near miss would train
 * the student on tokens that the teacher never saw.
 */
final class GgufTokenizer {
    static final int TYPE_NORMAL = 1;
    static final int TYPE_CONTROL = 3;
    static final int TYPE_USER_DEFINED = 4;
    static final int TYPE_UNUSED = 5;

    private final Path path;
    private final Map<String, Object> metadata;
    private final int vocabSize;

    private GgufTokenizer(Path path, Map<String, Object> metadata, int vocabSize) {
        this.path = path;
        this.metadata = metadata;
        this.vocabSize = vocabSize;
    }

    static TokenizerDefinition read(Path path, Map<String, Object> metadata, int vocabSize) {
        return new GgufTokenizer(path, metadata, vocabSize).definition();
    }

    private TokenizerDefinition definition() {
        Object model = required("tokenizer.ggml.model");
        if (!"gpt2".equals(model)) {
            throw CheckpointErrors.unsupportedTokenizer(path, "tokenizer.ggml.model", model, "gpt2 (byte-level BPE)");
        }
        String name = String.valueOf(required("tokenizer.ggml.pre"));
        GgufPreTokenizer pre = GgufPreTokenizer.named(name).orElseThrow(() ->
                CheckpointErrors.unsupportedTokenizer(path, "tokenizer.ggml.pre", name, GgufPreTokenizer.names()));
        String[] tokens = strings("tokenizer.ggml.tokens");
        if (tokens.length > vocabSize) {
            throw CheckpointErrors.badTokenizer(path,
                    "it has " + tokens.length + " tokens but the model's embedding has " + vocabSize + " rows");
        }
        boolean wholeWords = pre.wholeWords();
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("version", "1.0");
        json.put("truncation", null);
        json.put("padding", null);
        json.put("added_tokens", addedTokens(tokens));
        json.put("normalizer", pre.normalizer());
        json.put("pre_tokenizer", pre.preTokenizer());
        json.put("post_processor", null);
        json.put("decoder", GgufPreTokenizer.byteLevel(true));
        json.put("model", bpe(tokens, strings("tokenizer.ggml.merges"), wholeWords));
        return new TokenizerDefinition(TokenizerJson.write(json), tokenId("tokenizer.ggml.bos_token_id", tokens),
                tokenId("tokenizer.ggml.eos_token_id", tokens), flag("tokenizer.ggml.add_bos_token", wholeWords),
                metadata.get("tokenizer.chat_template") instanceof String template ? template : "", stopIds());
    }

    /** The ends of a document, of a turn and of a message; one that the model has no row for can never be written. */
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
            if (vocabulary.put(tokens[id], (long) id) != null) {
                throw CheckpointErrors.badTokenizer(path, "token \"" + tokens[id] + "\" occurs twice");
            }
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
        return GgufPreTokenizer.members("type", "BPE", "dropout", null, "unk_token", null, "continuing_subword_prefix", null,
                "end_of_word_suffix", null, "fuse_unk", false, "byte_fallback", false, "ignore_merges", ignoreMerges,
                "vocab", vocabulary, "merges", Arrays.asList(merges));
    }

    private List<Object> addedTokens(String[] tokens) {
        Object types = required("tokenizer.ggml.token_type");
        if (!(types instanceof long[] type) || type.length != tokens.length) {
            throw CheckpointErrors.badTokenizer(path, "tokenizer.ggml.token_type does not have one type per token");
        }
        List<Object> added = new ArrayList<>();
        for (int id = 0; id < tokens.length; id++) {
            if (type[id] == TYPE_CONTROL || type[id] == TYPE_USER_DEFINED) {
                added.add(GgufPreTokenizer.members("id", (long) id, "content", tokens[id], "single_word", false, "lstrip", false,
                        "rstrip", false, "normalized", false, "special", type[id] == TYPE_CONTROL));
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
