package org.potstill.checkpoints;

import static org.potstill.checkpoints.LlamaTensors.EMBEDDING;
import static org.potstill.checkpoints.LlamaTensors.FINAL_NORM;
import static org.potstill.checkpoints.LlamaTensors.HEAD;
import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.List;
import java.util.Map;
import onnx.Onnx.TensorProto.DataType;

/**
 * The forward pass of a Llama-family decoder (Touvron et al. 2023, arXiv 2302.13971; grouped-query attention:
 * Ainslie et al. 2023, arXiv 2305.13245) as an ONNX graph.
 *
 * <p>Inputs: {@code input_ids [B, T]}, padded on the right with any valid id, which the causal mask keeps from reaching
 * real positions; {@code positions [N]}, the flat indices {@code b·T + t} of the positions that are wanted: the head,
 * a quarter of a small model's work, is computed for these only. Between the layers activations are {@code [B·T, H]},
 * so that weights stay {@code [out, in]} and a tied table serves both ends.
 *
 * <p>{@link Ending#SCORES} takes also {@code next_ids [N, 1]} and {@code k [1]}, and gives per position the k most
 * probable ids, their log-probabilities, and that of the next token: the logits themselves, 4·V bytes a position, never
 * leave the graph. {@link Ending#LOGITS} gives them all, {@code [N, V]}.
 */
public final class LlamaGraph {
    public static final String INPUT_IDS = "input_ids";
    public static final String POSITIONS = "positions";
    public static final String NEXT_IDS = "next_ids";
    public static final String K = "k";
    public static final String TOP_LOG_PROBABILITIES = "top_log_probabilities";
    public static final String TOP_IDS = "top_ids";
    public static final String NEXT_LOG_PROBABILITY = "next_log_probability";
    public static final String LOGITS = "logits";

    /** What the graph computes of the logits. */
    public enum Ending { SCORES, LOGITS }

    /**
     * PLAIN spells attention and norm out in standard operators, the reference; FUSED uses ONNX Runtime's own, whose
     * attention takes heads of a multiple of 16 only: other models get plain attention.
     */
    public enum Kernels { PLAIN, FUSED }

    private final CausalLmConfig config;
    private final Map<String, ExternalWeights.Span> weights;
    private final LlamaAttention attention;
    private final Kernels kernels;
    private final OnnxGraph graph = new OnnxGraph("llama");

    private LlamaGraph(CausalLmConfig config, Kernels kernels) {
        this.config = config;
        this.kernels = kernels;
        this.weights = ExternalWeights.layout(config);
        this.attention = new LlamaAttention(config, graph);
    }

    /** A serialised ONNX model whose weights are those that {@link ExternalWeights} writes. */
    public static byte[] build(CausalLmConfig config, Ending ending, Kernels kernels) {
        LlamaGraph llama = new LlamaGraph(config, kernels);
        llama.forward(ending);
        return llama.graph.model();
    }

    private void forward(Ending ending) {
        String inputIds = graph.input(INPUT_IDS, DataType.INT64, "B", "T");
        String positions = graph.input(POSITIONS, DataType.INT64, "N");
        String cos = weight(ExternalWeights.ROPE_COS);
        String sin = weight(ExternalWeights.ROPE_SIN);
        boolean fusedAttention = kernels == Kernels.FUSED && config.headDim() % 16 == 0;
        if (fusedAttention) {
            attention.prepareFused(inputIds, cos, sin);
        } else {
            attention.preparePlain(inputIds, cos, sin);
        }

        String x = graph.node("Gather", List.of(weight(EMBEDDING), graph.node("Reshape", List.of(inputIds, graph.longs(-1)))));
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            String normed = rmsNorm(x, layer(layer, "input_layernorm"));
            String q = linear(normed, layer(layer, "self_attn.q_proj"));
            String k = linear(normed, layer(layer, "self_attn.k_proj"));
            String v = linear(normed, layer(layer, "self_attn.v_proj"));
            if (config.headNorms()) {
                q = headNorm(q, layer(layer, "self_attn.q_norm"), config.numAttentionHeads());
                k = headNorm(k, layer(layer, "self_attn.k_norm"), config.numKeyValueHeads());
            }
            int window = config.slidingWindow(layer);
            String attended = fusedAttention ? attention.fused(q, k, v, window) : attention.plain(q, k, v, window);
            x = add(x, linear(attended, layer(layer, "self_attn.o_proj")));

            normed = rmsNorm(x, layer(layer, "post_attention_layernorm"));
            String gate = silu(linear(normed, layer(layer, "mlp.gate_proj")));
            String up = linear(normed, layer(layer, "mlp.up_proj"));
            x = add(x, linear(mul(gate, up), layer(layer, "mlp.down_proj")));
        }
        String wanted = graph.node("Gather", List.of(x, positions));
        String logits = linear(rmsNorm(wanted, FINAL_NORM), config.tieWordEmbeddings() ? EMBEDDING : HEAD);
        LogitsEnding.add(graph, logits, ending, config.vocabSize());
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

    /** x · Wᵀ, plus the bias where there is one */
    private String linear(String x, String weight) {
        String bias = LlamaTensors.bias(weight);
        List<String> inputs = weights.containsKey(bias) ? List.of(x, weight(weight), weight(bias)) : List.of(x, weight(weight));
        return graph.node("Gemm", inputs, attribute("transB", 1L));
    }

    private String add(String a, String b) {
        return graph.node("Add", List.of(a, b));
    }

    private String mul(String a, String b) {
        return graph.node("Mul", List.of(a, b));
    }

    private String weight(String name) {
        return graph.external(name, weights.get(name));
    }

    private static String layer(int layer, String part) {
        return LlamaTensors.layer(layer, part);
    }
}
