// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.util.Arrays;
import java.util.Map;
import java.util.Set;

/**
 * Tokenizer classes of transformers that add tokens around a text by their own flags, whatever the template in {@code
 * tokenizer.json}. Follows transformers 4.57; for folders written by transformers 5, version 5.24.
 */
enum TokenizerClass {
    LLAMA("LlamaTokenizer", true, "<s>", "</s>", "arcee", "deepseek_v2", "deepseek_v3", "diffllama", "ernie4_5", "ernie4_5_moe", "jamba",
            "jetmoe", "llama", "llama4", "llama4_text", "mistral", "mixtral", "persimmon", "phi3", "phimoe", "zamba"),
    CODE_LLAMA("CodeLlamaTokenizer", true, "<s>", "</s>", "code_llama"),
    GEMMA("GemmaTokenizer", true, "<bos>", "<eos>", "gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma3n_text", "recurrent_gemma"),
    COHERE("CohereTokenizer", true, "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "cohere", "cohere2"),
    GPT_NEOX("GPTNeoXTokenizer", false, "<|endoftext|>", "<|endoftext|>", "falcon_mamba", "gpt_neox", "mamba", "mamba2", "mpt", "olmo",
            "olmo2", "olmoe", "rwkv", "stablelm", "xlstm"),
    /** A class that adds nothing around a text, neither by template nor by flags. */
    NEITHER("", false, "", ""),
    /** Any other class: the template decides. */
    OTHER("", false, "", "");

    /** Whether texts begin with {@link #bos} unless a flag says otherwise. */
    final boolean addsBos;
    final String bos;
    final String eos;
    private final String name;
    /** Model types that use this class if the folder names none. */
    private final Set<String> modelTypes;

    TokenizerClass(String name, boolean addsBos, String bos, String eos, String... modelTypes) {
        this.name = name;
        this.addsBos = addsBos;
        this.bos = bos;
        this.eos = eos;
        this.modelTypes = Set.of(modelTypes);
    }

    static TokenizerClass of(Map<String, Object> tokenizerConfig, Map<String, Object> config) {
        TokenizerClass ofFour = ofFour(tokenizerConfig, config);
        return !isOfFive(config) ? ofFour : ofFour == GPT_NEOX ? NEITHER : OTHER;
    }

    /** Returns whether tokenizer_config.json, even by omission, decides if a byte-level tokenizer adds a space before a text. */
    static boolean setsPrefixSpace(Map<String, Object> tokenizerConfig, Map<String, Object> config) {
        TokenizerClass ofFour = ofFour(tokenizerConfig, config);
        return isOfFive(config) ? String.valueOf(named(tokenizerConfig, config)).startsWith("GPT2Tokenizer")
                : ofFour != LLAMA && ofFour != CODE_LLAMA;
    }

    private static boolean isOfFive(Map<String, Object> config) {
        return config.get("transformers_version") instanceof String version && version.matches("([5-9]|[1-9][0-9]+)\\..*");
    }

    private static Object named(Map<String, Object> tokenizerConfig, Map<String, Object> config) {
        return tokenizerConfig.getOrDefault("tokenizer_class", config.get("tokenizer_class"));
    }

    private static TokenizerClass ofFour(Map<String, Object> tokenizerConfig, Map<String, Object> config) {
        Object named = named(tokenizerConfig, config);
        return Arrays.stream(values()).filter(each -> named == null ? each.modelTypes.contains(String.valueOf(config.get("model_type")))
                : named.toString().replaceFirst("Fast$", "").equals(each.name)).findFirst().orElse(OTHER);
    }
}
