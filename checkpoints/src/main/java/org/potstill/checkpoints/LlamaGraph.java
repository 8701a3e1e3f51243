package org.potstill.checkpoints;

import static org.potstill.checkpoints.LlamaTensors.EMBEDDING;
import static org.potstill.checkpoints.LlamaTensors.FINAL_NORM;
import static org.potstill.checkpoints.LlamaTensors.HEAD;
import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.Arrays;
import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * The forward pass of a Llama-family decoder (Touvron et al. 2023, arXiv 2302.13971; grouped-query attention:
 * Ainslie et al. 2023, arXiv 2305.13245) as an ONNX graph.
 *
 * <p>Inputs: {@code input_ids [B, T]}, padded on the right with any valid id; {@code positions [N]}, the flat indices
 * {@code b·T + t} of all positions that are not padding. Activations are packed, {@code [N, H]}: whatever the lengths,
 * no linear layer works on padding. Only attention sees {@code [B, T]}, where each sequence attends to itself alone and
 * the causal mask keeps what follows it from reaching it.
 *
 * <p>{@link Ending#SCORES} takes also {@code next_ids [N, 1]} and {@code k [1]}, and gives per position the k most
 * probable ids, their log-probabilities, that of the next token, and the entropy of the distribution: the logits
 * themselves, 4·V bytes a position, never leave the graph. {@link Ending#DRAWS} takes {@code uniforms [N, 3, S]} in the
 * place of k, see {@link CategoricalDraws}, and gives S ids drawn from each distribution, and the mass that they are drawn
 * from; {@link Ending#SCORES_AND_DRAWS} takes both and draws from what is not among the k. {@link Ending#LOGITS} gives all
 * logits, {@code [N, V]}.
 */
public final class LlamaGraph {
    public static final String INPUT_IDS = "input_ids";
    public static final String POSITIONS = "positions";
    public static final String NEXT_IDS = "next_ids";
    public static final String K = "k";
    public static final String TOP_LOG_PROBABILITIES = "top_log_probabilities";
    public static final String TOP_IDS = "top_ids";
    public static final String NEXT_LOG_PROBABILITY = "next_log_probability";
    public static final String ENTROPY = "entropy";
    public static final String UNIFORMS = "uniforms";
    public static final String DRAWS = "draws";
    public static final String DRAWN_MASS = "drawn_mass";
    public static final String LOGITS = "logits";
    /** Uniform numbers a draw: for a group of blocks, a block of ids, an id. */
    public static final int DRAW_STEPS = 3;
    /** Ids in a block. */
    public static final int DRAW_BLOCK = 64;
    /** Ids in a group. */
    public static final int DRAW_GROUP = 32 * DRAW_BLOCK;

    /**
     * What the graph computes of the logits. CHANNEL_MAXIMA: nothing; instead an output of each linear layer's input,
     * named after its weight (the first of several that share theirs), {@code [in]}: the largest magnitude of each channel.
     */
    public enum Ending {
        SCORES, DRAWS, SCORES_AND_DRAWS, LOGITS, CHANNEL_MAXIMA;

        /** Whether the k most probable ids are among what it gives. */
        public boolean hasTop() {
            return this == SCORES || this == SCORES_AND_DRAWS;
        }

        public boolean hasDraws() {
            return this == DRAWS || this == SCORES_AND_DRAWS;
        }
    }

    /**
     * PLAIN spells attention and norm out in standard operators, the reference; FUSED uses ONNX Runtime's own, whose
     * attention takes heads of a multiple of 16 only: other models get plain attention.
     */
    public enum Kernels { PLAIN, FUSED }

    private final CausalLmConfig config;
    private final WeightsLayout weights;
    private final Ending ending;
    private final Kernels kernels;
    private final Precision precision;
    private final OnnxGraph graph = new OnnxGraph("llama");
    private final LlamaAttention attention;
    private final Int8Linear int8;

    private LlamaGraph(CausalLmConfig config, Ending ending, Kernels kernels, Precision precision) {
        this.config = config;
        this.ending = ending;
        this.kernels = kernels;
        this.precision = precision;
        this.weights = WeightsLayout.of(config, precision);
        this.attention = new LlamaAttention(config, precision, graph);
        this.int8 = new Int8Linear(graph, weights);
    }

    /** A serialised ONNX model whose weights are those that {@link ExternalWeights} writes. */
    public static byte[] build(CausalLmConfig config, Ending ending, Kernels kernels, Precision precision) {
        LlamaGraph llama = new LlamaGraph(config, ending, kernels, precision);
        llama.forward();
        return llama.graph.model();
    }

    private void forward() {
        String inputIds = graph.input(INPUT_IDS, DataType.INT64, "B", "T");
        String positions = graph.input(POSITIONS, DataType.INT64, "N");
        boolean fusedAttention = kernels == Kernels.FUSED && config.headDim() % 16 == 0;
        attention.prepare(inputIds, positions, weight(WeightsLayout.ROPE_COS), weight(WeightsLayout.ROPE_SIN), fusedAttention);

        String packedIds = graph.node("Gather", List.of(graph.node("Reshape", List.of(inputIds, graph.longs(-1))), positions));
        String x = graph.node("Gather", List.of(weight(EMBEDDING), packedIds));
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            String[] qkv = linear(rmsNorm(x, layer(layer, "input_layernorm")), layer(layer, "self_attn.q_proj"),
                    layer(layer, "self_attn.k_proj"), layer(layer, "self_attn.v_proj"));
            if (config.headNorms()) {
                qkv[0] = headNorm(qkv[0], layer(layer, "self_attn.q_norm"), config.numAttentionHeads());
                qkv[1] = headNorm(qkv[1], layer(layer, "self_attn.k_norm"), config.numKeyValueHeads());
            }
            String attended = attention.of(qkv[0], qkv[1], qkv[2], config.slidingWindow(layer));
            x = add(x, linear(attended, layer(layer, "self_attn.o_proj"))[0]);

            String[] gateUp = linear(rmsNorm(x, layer(layer, "post_attention_layernorm")), layer(layer, "mlp.gate_proj"),
                    layer(layer, "mlp.up_proj"));
            x = add(x, linear(mul(silu(gateUp[0]), gateUp[1]), layer(layer, "mlp.down_proj"))[0]);
        }
        String last = rmsNorm(x, FINAL_NORM);
        if (ending == Ending.CHANNEL_MAXIMA) {
            channelMaxima(last, HEAD);
        } else {
            LogitsEnding.add(graph, last, rows -> float32(linear(rows, HEAD)[0]), ending, config.vocabSize());
        }
    }

    /** x / √(mean(x²) + ε) · g (Zhang and Sennrich 2019, arXiv 1910.07467). */
    private String rmsNorm(String x, String gain) {
        if (kernels == Kernels.FUSED) {
            return graph.node("SimplifiedLayerNormalization", List.of(x, weight(gain)),
                    attribute("axis", -1L), attribute("epsilon", config.rmsNormEps()));
        }
        String meanSquare = graph.node("ReduceMean", List.of(mul(x, x)),
                attribute("axes", new long[] {-1}), attribute("keepdims", 1L));
        String root = graph.node("Sqrt", List.of(add(meanSquare, graph.scalar(config.rmsNormEps()))));
        return mul(graph.node("Div", List.of(x, root)), weight(gain));
    }

    /** Each head by itself: Qwen3 (Yang et al. 2025, arXiv 2505.09388). */
    private String headNorm(String x, String gain, long heads) {
        String normed = rmsNorm(graph.node("Reshape", List.of(x, graph.longs(-1, config.headDim()))), gain);
        return graph.node("Reshape", List.of(normed, graph.longs(-1, heads * config.headDim())));
    }

    private String silu(String x) {
        return mul(x, graph.node("Sigmoid", List.of(x)));
    }

    /** x · Wᵀ, plus the bias where there is one, for each of the weights. */
    private String[] linear(String x, String... names) {
        if (ending == Ending.CHANNEL_MAXIMA) {
            channelMaxima(x, names[0]);
        }
        if (precision != Precision.INT8) {
            return Arrays.stream(names).map(name -> gemm(x, name)).toArray(String[]::new);
        }
        // Where 8 bits of activation cost the most: with SmolLM2-135M, KL to FP32 falls from 0.0143 to 0.0088 nats.
        boolean fine = names[0].endsWith("q_proj.weight") || names[0].endsWith("down_proj.weight");
        String[] products = int8.of(x, fine, names);
        for (int i = 0; i < names.length; i++) {
            String bias = LlamaTensors.bias(names[i]);
            products[i] = weights.span(bias) == null ? products[i] : add(products[i], weight(bias));
        }
        return products;
    }

    private String gemm(String x, String name) {
        String bias = LlamaTensors.bias(name);
        String weight = weight(name.equals(HEAD) && config.tieWordEmbeddings() ? EMBEDDING : name);
        return graph.node("Gemm", weights.span(bias) == null ? List.of(x, weight) : List.of(x, weight, weight(bias)),
                attribute("transB", 1L));
    }

    /** Under what name the largest magnitudes of a weight's input come out. */
    static String channelMaxima(String weight) {
        return weight + ".channel_maxima";
    }

    private void channelMaxima(String x, String weight) {
        String largest = graph.node("ReduceMax", List.of(graph.node("Abs", List.of(x))),
                attribute("axes", new long[] {0}), attribute("keepdims", 0L));
        graph.output(largest, channelMaxima(weight), DataType.FLOAT, "C");
    }

    private String float32(String x) {
        return precision == Precision.FP16
                ? graph.node("Cast", List.of(x), attribute("to", (long) DataType.FLOAT.getNumber())) : x;
    }

    private String add(String a, String b) {
        return graph.node("Add", List.of(a, b));
    }

    private String mul(String a, String b) {
        return graph.node("Mul", List.of(a, b));
    }

    private String weight(String name) {
        return graph.external(name, weights.span(name));
    }

    private static String layer(int layer, String part) {
        return LlamaTensors.layer(layer, part);
    }
}
