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
 * <p>GGUF names the way that text is cut before merging ({@code tokenizer.ggml.pre}) but does not describe it; the
 * descriptions here are those of the Hugging Face tokenizers that the names stand for. An unknown name is an error:
 * a near miss would train the student on tokens that the teacher never saw.
 */
final class GgufTokenizer {
    private static final int TYPE_CONTROL = 3;
    private static final int TYPE_USER_DEFINED = 4;

    private static final String LLAMA3_SPLIT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String QWEN2_SPLIT = LLAMA3_SPLIT.replace("{1,3}", "");
    private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String TEKKEN_SPLIT = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+"
            + "|[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*|\\p{N}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

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
        String pre = String.valueOf(required("tokenizer.ggml.pre"));
        String[] tokens = strings("tokenizer.ggml.tokens");
        if (tokens.length > vocabSize) {
            throw CheckpointErrors.badTokenizer(path,
                    "it has " + tokens.length + " tokens but the model's embedding has " + vocabSize + " rows");
        }
        // Llama 3 and Mistral's Tekken take a word that is a token whole, and begin documents with their bos.
        boolean wholeWords = pre.equals("llama-bpe") || pre.equals("tekken");
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("version", "1.0");
        json.put("truncation", null);
        json.put("padding", null);
        json.put("added_tokens", addedTokens(tokens));
        json.put("normalizer", pre.equals("qwen2") ? Map.of("type", "NFC") : null);
        json.put("pre_tokenizer", preTokenizer(pre));
        json.put("post_processor", null);
        json.put("decoder", byteLevel(true));
        json.put("model", bpe(tokens, strings("tokenizer.ggml.merges"), wholeWords));
        return new TokenizerDefinition(TokenizerJson.write(json), tokenId("tokenizer.ggml.bos_token_id", tokens),
                tokenId("tokenizer.ggml.eos_token_id", tokens), flag("tokenizer.ggml.add_bos_token", wholeWords),
                metadata.get("tokenizer.chat_template") instanceof String template ? template : "");
    }

    private Object preTokenizer(String pre) {
        return switch (pre) {
            case "gpt-2" -> byteLevel(true);
            case "smollm" -> sequence(members("type", "Digits", "individual_digits", true), byteLevel(true));
            case "llama-bpe" -> sequence(split(LLAMA3_SPLIT), byteLevel(false));
            case "qwen2" -> sequence(split(QWEN2_SPLIT), byteLevel(false));
            case "tekken" -> sequence(split(TEKKEN_SPLIT), byteLevel(false));
            default -> throw CheckpointErrors.unsupportedTokenizer(path, "tokenizer.ggml.pre", pre,
                    "smollm, gpt-2, llama-bpe, qwen2 and tekken");
        };
    }

    private static Map<String, Object> sequence(Object first, Object second) {
        return members("type", "Sequence", "pretokenizers", List.of(first, second));
    }

    private static Map<String, Object> split(String regex) {
        return members("type", "Split", "pattern", members("Regex", regex), "behavior", "Isolated", "invert", false);
    }

    private static Map<String, Object> byteLevel(boolean useRegex) {
        return members("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", true, "use_regex", useRegex);
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
        return members("type", "BPE", "dropout", null, "unk_token", null, "continuing_subword_prefix", null,
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
                added.add(members("id", (long) id, "content", tokens[id], "single_word", false, "lstrip", false,
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

    private static Map<String, Object> members(Object... namesAndValues) {
        Map<String, Object> members = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            members.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return members;
    }
}
