package org.potstill.checkpoints;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * How byte-level BPE cuts a text before merging, by the names that GGUF has for it ({@code tokenizer.ggml.pre}).
 *
 * <p>GGUF does not describe what the names stand for; the descriptions here are those of the Hugging Face tokenizers.
 */
enum GgufPreTokenizer {
    SMOLLM("smollm"),
    GPT_2("gpt-2"),
    LLAMA_BPE("llama-bpe"),
    QWEN2("qwen2"),
    TEKKEN("tekken");

    private static final String LLAMA3_SPLIT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String QWEN2_SPLIT = LLAMA3_SPLIT.replace("{1,3}", "");
    private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String TEKKEN_SPLIT = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+"
            + "|[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*|\\p{N}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    final String ggufName;

    GgufPreTokenizer(String ggufName) {
        this.ggufName = ggufName;
    }

    static Optional<GgufPreTokenizer> named(String name) {
        return Arrays.stream(values()).filter(each -> each.ggufName.equals(name)).findFirst();
    }

    static String names() {
        return Arrays.stream(values()).map(each -> each.ggufName).collect(Collectors.joining(", "));
    }

    /** The one that cuts, normalises and merges as a {@code tokenizer.json} with a BPE model says; none where no name does. */
    static Optional<GgufPreTokenizer> of(Map<String, Object> tokenizer) {
        boolean wholeWords = tokenizer.get("model") instanceof Map<?, ?> model && Boolean.TRUE.equals(model.get("ignore_merges"));
        return Arrays.stream(values()).filter(each -> each.wholeWords() == wholeWords
                && canonical(each.preTokenizer()).equals(canonical(tokenizer.get("pre_tokenizer")))
                && canonical(each.normalizer()).equals(canonical(tokenizer.get("normalizer")))).findFirst();
    }

    /** Whether a word that is a token is taken whole, and documents begin with the bos where the file does not say. */
    boolean wholeWords() {
        return this == LLAMA_BPE || this == TEKKEN;
    }

    /** The member "normalizer" of a {@code tokenizer.json}. */
    Map<String, Object> normalizer() {
        return this == QWEN2 ? members("type", "NFC") : null;
    }

    /** The member "pre_tokenizer" of a {@code tokenizer.json}. */
    Map<String, Object> preTokenizer() {
        return switch (this) {
            case GPT_2 -> byteLevel(true);
            case SMOLLM -> sequence(members("type", "Digits", "individual_digits", true), byteLevel(true));
            case LLAMA_BPE -> sequence(split(LLAMA3_SPLIT), byteLevel(false));
            case QWEN2 -> sequence(split(QWEN2_SPLIT), byteLevel(false));
            case TEKKEN -> sequence(split(TEKKEN_SPLIT), byteLevel(false));
        };
    }

    static Map<String, Object> byteLevel(boolean useRegex) {
        return members("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", true, "use_regex", useRegex);
    }

    private static Map<String, Object> sequence(Object first, Object second) {
        return members("type", "Sequence", "pretokenizers", List.of(first, second));
    }

    private static Map<String, Object> split(String regex) {
        return members("type", "Split", "pattern", members("Regex", regex), "behavior", "Isolated", "invert", false);
    }

    /** The steps of a normalizer or pre-tokenizer, sequences spelled out, with nothing but what changes a token. */
    private static List<Object> canonical(Object step) {
        if (!(step instanceof Map<?, ?> map)) {
            return step == null ? List.of() : List.of(step);
        }
        for (String sequence : List.of("pretokenizers", "normalizers")) {
            if (map.get(sequence) instanceof List<?> members) {
                List<Object> steps = new ArrayList<>();
                members.forEach(member -> steps.addAll(canonical(member)));
                return steps;
            }
        }
        Map<Object, Object> kept = new LinkedHashMap<>(map);
        if ("ByteLevel".equals(map.get("type"))) {
            kept.remove("trim_offsets");
            kept.putIfAbsent("use_regex", true);
        }
        kept.values().removeIf(Objects::isNull);
        return List.of(kept);
    }

    static Map<String, Object> members(Object... namesAndValues) {
        Map<String, Object> members = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            members.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return members;
    }
}
