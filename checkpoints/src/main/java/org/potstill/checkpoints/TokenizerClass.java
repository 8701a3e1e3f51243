package org.potstill.checkpoints;

import java.util.Arrays;
import java.util.Map;
import java.util.Set;

/**
 * The classes of transformers that put tokens around a text by their own flags, whatever template {@code tokenizer.json} has. As
 * transformers 4.57 does it; for folders that say they were written by transformers 5, as 5.24 does.
 */
enum TokenizerClass {
    LLAMA("LlamaTokenizer", true, "<s>", "</s>", "arcee", "deepseek_v2", "deepseek_v3", "diffllama", "ernie4_5", "ernie4_5_moe", "jamba",
            "jetmoe", "llama", "llama4", "llama4_text", "mistral", "mixtral", "persimmon", "phi3", "phimoe", "zamba"),
    CODE_LLAMA("CodeLlamaTokenizer", true, "<s>", "</s>", "code_llama"),
    GEMMA("GemmaTokenizer", true, "<bos>", "<eos>", "gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma3n_text", "recurrent_gemma"),
    COHERE("CohereTokenizer", true, "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "cohere", "cohere2"),
    GPT_NEOX("GPTNeoXTokenizer", false, "<|endoftext|>", "<|endoftext|>", "falcon_mamba", "gpt_neox", "mamba", "mamba2", "mpt", "olmo",
            "olmo2", "olmoe", "rwkv", "stablelm", "xlstm"),
    /** One that puts nothing around a text, neither by template nor by flags. */
    NEITHER("", false, "", ""),
    /** Every other, which goes by the template. */
    OTHER("", false, "", "");

    /** Whether texts begin with {@link #bos} where no flag says otherwise. */
    final boolean addsBos;
    final String bos;
    final String eos;
    private final String name;
    /** Kinds of model that have it where the folder names no class. */
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

    /** Whether tokenizer_config.json says, by its silence, too, if a byte-level tokenizer puts a space before a text. */
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
