// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.potstill.checkpoints.tokenizer.TokenizerJson;

/**
 * Pre-tokenizers of byte-level BPE, which split a text before merging, by their names in GGUF ({@code
 * tokenizer.ggml.pre}).
 *
 * <p>GGUF does not define these names; the definitions here are those of the Hugging Face tokenizers. Many names mean the
 * same, since converters name a pre-tokenizer after a model.
 */
enum GgufPreTokenizer {
    SMOLLM(Set.of(), List.of(digits(), byteLevel(true)),
            "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"),
    GPT_2(Set.of(), List.of(byteLevel(true)),
            "gpt-2", "phi-2", "olmo", "mpt", "jais", "trillion", "granite-docling", "gigachat", "a.x-4.0", "mellum", "exaone4", "jina-es", "jina-de",
            "jina-v2-es", "jina-v2-de", "modern-bert"),
    LLAMA_BPE(Set.of(Trait.WHOLE_WORDS, Trait.BOS), splits(Cut.LLAMA_3),
            "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"),
    QWEN2(Set.of(Trait.NFC), splits(Cut.QWEN_2), "qwen2", "deepseek-r1-qwen", "megrez", "kormo", "f2llmv2"),
    TEKKEN(Set.of(Trait.WHOLE_WORDS, Trait.BOS), splits(Cut.TEKKEN), "tekken"),
    SMAUG(Set.of(), splits(Cut.LLAMA_3), "smaug-bpe", "dbrx", "glm4", "chatglm-bpe"),
    STABLELM2(Set.of(), splits(Cut.QWEN_2), "stablelm2", "hunyuan", "solar-open", "grok-2"),
    QWEN35(Set.of(Trait.NFC), splits(Cut.QWEN_35), "qwen35"),
    MINICPM5(Set.of(Trait.WHOLE_WORDS), splits("\\p{N}{1,3}", Cut.LLAMA_3.replace("{1,3}", "+")), "minicpm5"),
    GPT_4O(Set.of(), splits(Cut.GPT_4O), "gpt-4o", "llama4", "kanana2", "minimax-m2", "talkie"),
    DEEPSEEK_V3(Set.of(), splits("\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", Cut.DEEPSEEK_V3),
            "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"),
    DEEPSEEK_CODER(Set.of(), splits("[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}"),
            "deepseek-coder"),
    SEED_CODER(Set.of(), splits(Cut.QWEN_2.replace("\\p{L}\\p{N}]+[\\r\\n]*", "\\p{L}\\p{N}\\r\\n]+")), "seed-coder"),
    BAILINGMOE(Set.of(), splits(Cut.BAILING), "bailingmoe", "bailingmoe2", "llada-moe"),
    FALCON(Set.of(), splits("[\\p{P}\\$\\+<=>\\^~\\|`]+", Cut.GPT_2, "[0-9][0-9][0-9]"), "falcon"),
    BLOOM(Set.of(), splits(Cut.BLOOM), "bloom", "poro-chat", "gpt3-finnish"),
    VIKING(Set.of(), splits(Cut.BLOOM, "\\p{N}"), "viking"),
    /** Default of llama.cpp, if a converter knew no name. */
    DEFAULT(Set.of(), splits("[\\p{P}\\$\\+<=>\\^~\\|]+", Cut.GPT_2, "\\p{N}+", "[0-9][0-9][0-9]"), "default");

    private enum Trait {
        /** Texts are normalised to NFC. */
        NFC,
        /** A word that is itself a token is not split. */
        WHOLE_WORDS,
        /** Documents begin with the BOS token unless the file says otherwise. */
        BOS
    }

    /** Regular expressions. */
    private static final class Cut {
        static final String GPT_2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
        static final String END = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
        static final String LLAMA_3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" + END;
        static final String QWEN_2 = LLAMA_3.replace("{1,3}", "");
        static final String QWEN_35 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
                + "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" + END;
        static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
        static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
        static final String TEKKEN = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+"
                + "|[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*|\\p{N}"
                + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + END;
        static final String GPT_4O = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                + "|[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}"
                + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + END;
        static final String DEEPSEEK_V3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
                + "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" + END;
        static final String BAILING = "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}"
                + "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
        static final String BLOOM = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+";
    }

    /** Canonical name, the first of its names. */
    final String ggufName;
    private final Set<Trait> traits;
    private final List<Object> steps;
    private final List<String> names;

    GgufPreTokenizer(Set<Trait> traits, List<Object> steps, String... names) {
        this.traits = traits;
        this.steps = steps;
        this.names = List.of(names);
        this.ggufName = names[0];
    }

    static Optional<GgufPreTokenizer> named(String name) {
        return Arrays.stream(values()).filter(each -> each.names.contains(name)).findFirst();
    }

    static String names() {
        return Arrays.stream(values()).flatMap(each -> each.names.stream()).collect(Collectors.joining(", "));
    }

    /**
     * Returns the pre-tokenizer that splits, normalises and merges like a {@code tokenizer.json} with a BPE model; empty
     * if none does.
     */
    static Optional<GgufPreTokenizer> of(Map<String, Object> tokenizer) {
        boolean wholeWords = tokenizer.get("model") instanceof Map<?, ?> model && Boolean.TRUE.equals(model.get("ignore_merges"));
        return Arrays.stream(values()).filter(each -> each.wholeWords() == wholeWords
                && canonical(each.preTokenizer()).equals(canonical(tokenizer.get("pre_tokenizer")))
                && canonical(each.normalizer()).equals(canonical(tokenizer.get("normalizer")))).findFirst();
    }

    /** Returns whether a word that is itself a token is not split. */
    boolean wholeWords() {
        return traits.contains(Trait.WHOLE_WORDS);
    }

    /** Returns whether documents begin with the BOS token unless the file says otherwise. */
    boolean addsBos() {
        return traits.contains(Trait.BOS);
    }

    /** Returns the member "normalizer" of a {@code tokenizer.json}. */
    Map<String, Object> normalizer() {
        return traits.contains(Trait.NFC) ? TokenizerJson.members("type", "NFC") : null;
    }

    /** Returns the member "pre_tokenizer" of a {@code tokenizer.json}. */
    Object preTokenizer() {
        return steps.size() == 1 ? steps.get(0) : TokenizerJson.members("type", "Sequence", "pretokenizers", steps);
    }

    static Map<String, Object> byteLevel(boolean useRegex) {
        return TokenizerJson.members("type", "ByteLevel", "add_prefix_space", false, "trim_offsets", true, "use_regex", useRegex);
    }

    private static Map<String, Object> digits() {
        return TokenizerJson.members("type", "Digits", "individual_digits", true);
    }

    private static List<Object> splits(String... regexes) {
        List<Object> steps = new ArrayList<>();
        for (String regex : regexes) {
            steps.add(TokenizerJson.members("type", "Split", "pattern", TokenizerJson.members("Regex", regex), "behavior", "Isolated", "invert", false));
        }
        steps.add(byteLevel(false));
        return steps;
    }

    /** Returns the steps of a normalizer or pre-tokenizer, with sequences flattened and only the members that affect tokens. */
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
}
