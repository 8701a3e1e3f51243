// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.potstill.checkpoints.formats.gguf.GgmlNames;
import org.potstill.checkpoints.formats.gguf.GgufWriter;

/**
 * A random Llama of a few hundred kilobytes in a GGUF file, for the tests of all modules: nothing to download.
 *
 * <p>Its tokenizer is byte-level BPE with all 256 bytes, a few English merges, and {@code <|endoftext|>} (id 0) as the
 * token that begins and ends documents, so that it tokenizes any text. Its weights are scaled such that its
 * distributions are neither flat nor certain.
 */
public final class TinyLlama {
    public static final int END_OF_TEXT = 0;

    private static final String[] MERGES = {
        "Ġ t", "Ġ a", "h e", "i n", "r e", "o n", "e r", "Ġt he", "a t", "Ġ s", "Ġ o", "e n", "Ġ c", "e s", "Ġ w",
        "n d", "i t", "o r", "i s", "a n", "Ġa nd", "in g", "Ġo f", "Ġt o", "Ġ in", "o u", "e d", "Ġ p", "Ġ b", "Ġ f",
        "a l", "Ġ m", "a r", "Ġ d", "Ġ h", "en t", "i on", "Ġ the", "at ion", "l l", "Ġ is", "Ġ n"};

    private TinyLlama() {
    }

    /** Two layers, width 64, four heads over two, 320 rows of vocabulary, 256 positions, a tied head. */
    public static CausalLmConfig config() {
        return new CausalLmConfig(320, 64, 128, 2, 4, 2, 16, 256, 1e-5f, 10_000f, true);
    }

    /** Writes the model of {@link #config()}; the same seed gives the same bytes. */
    public static void write(Path file, long seed) {
        write(file, seed, config());
    }

    /** @param config with a vocabulary of at least 320 */
    public static void write(Path file, long seed, CausalLmConfig config) {
        gguf(seed, config).write(file);
    }

    /** The file before it is written, for tests that spoil it. */
    public static GgufWriter gguf(long seed, CausalLmConfig config) {
        String architecture = switch (config.variant().family()) {
            case LLAMA, MISTRAL, MIXTRAL -> "llama";
            case QWEN2 -> "qwen2";
            case QWEN3 -> "qwen3";
            case OLMO2 -> "olmo2";
            default -> throw new IllegalArgumentException(config.toString());
        };
        GgufWriter gguf = new GgufWriter()
                .put("general.architecture", architecture)
                .put("general.name", "tiny random llama")
                .put(architecture + ".block_count", config.numHiddenLayers())
                .put(architecture + ".context_length", config.maxPositionEmbeddings())
                .put(architecture + ".embedding_length", config.hiddenSize())
                .put(architecture + ".feed_forward_length", config.intermediateSize())
                .put(architecture + ".attention.head_count", config.numAttentionHeads())
                .put(architecture + ".attention.head_count_kv", config.numKeyValueHeads())
                .put(architecture + ".attention.key_length", config.headDim())
                .put(architecture + ".attention.value_length", config.headDim())
                .put(architecture + ".attention.layer_norm_rms_epsilon", config.rmsNormEps())
                .put(architecture + ".rope.freq_base", config.ropeTheta())
                .put(architecture + ".rope.dimension_count", config.headDim())
                .put(architecture + ".vocab_size", config.vocabSize());
        if (config.variant().slidingWindow() > 0) {
            gguf.put(architecture + ".attention.sliding_window", config.variant().slidingWindow());
        }
        if (config.traits().experts().count() > 0) {
            gguf.put(architecture + ".expert_count", config.traits().experts().count())
                    .put(architecture + ".expert_used_count", config.traits().experts().perToken());
        }
        tokenizer(gguf);
        GgmlNames names = new GgmlNames(config);
        Random random = new Random(seed);
        for (Map.Entry<String, long[]> tensor : LlamaTensors.shapes(config).entrySet()) {
            gguf.tensor(names.ggml(tensor.getKey()), tensor.getValue(),
                    values(tensor.getKey(), tensor.getValue(), random));
        }
        return gguf;
    }

    private static float[] values(String name, long[] shape, Random random) {
        float[] values = new float[(int) (shape.length == 1 ? shape[0] : shape[0] * shape[1])];
        boolean norm = shape.length == 1;
        double scale = norm ? 0.1 : name.equals(LlamaTensors.EMBEDDING) ? 0.3 : 1 / Math.sqrt((double) shape[1]);
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) ((norm ? 1 : 0) + scale * random.nextGaussian());
        }
        return values;
    }

    /** The vocabulary, in the order of ids; {@code merges} gets the merges that make it. */
    private static List<String> tokens(List<String> merges) {
        List<String> tokens = new ArrayList<>();
        tokens.add("<|endoftext|>");
        // GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on.
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
            tokens.add(Character.toString(printable ? b : next++));
        }
        for (String merge : MERGES) {
            String merged = merge.replace(" ", "");
            if (!tokens.contains(merged)) {
                tokens.add(merged);
                merges.add(merge);
            }
        }
        return tokens;
    }

    public static String[] tokens() {
        return tokens(new ArrayList<>()).toArray(new String[0]);
    }

    private static void tokenizer(GgufWriter gguf) {
        List<String> merges = new ArrayList<>();
        List<String> tokens = tokens(merges);
        int[] types = new int[tokens.size()];
        Arrays.fill(types, 1);
        types[END_OF_TEXT] = 3;
        gguf.put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.pre", "smollm")
                .put("tokenizer.ggml.tokens", tokens.toArray(new String[0]))
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.merges", merges.toArray(new String[0]))
                .put("tokenizer.ggml.bos_token_id", END_OF_TEXT)
                .put("tokenizer.ggml.eos_token_id", END_OF_TEXT)
                .put("tokenizer.ggml.add_bos_token", false);
    }
}
