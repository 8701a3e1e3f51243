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
 * probable ids, their log-probabilities, that of the next token, and the entropy of the distribution: the logits
 * themselves, 4·V bytes a position, never leave the graph. {@link Ending#LOGITS} gives them all, {@code [N, V]}.
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
            String attended = fusedAttention ? attention.fused(q, k, v) : attention.plain(q, k, v);
            x = add(x, linear(attended, layer(layer, "self_attn.o_proj")));

            normed = rmsNorm(x, layer(layer, "post_attention_layernorm"));
            String gate = silu(linear(normed, layer(layer, "mlp.gate_proj")));
            String up = linear(normed, layer(layer, "mlp.up_proj"));
            x = add(x, linear(mul(gate, up), layer(layer, "mlp.down_proj")));
        }
        String wanted = graph.node("Gather", List.of(x, positions));
        String logits = linear(rmsNorm(wanted, FINAL_NORM), config.tieWordEmbeddings() ? EMBEDDING : HEAD);

        if (ending == Ending.LOGITS) {
            graph.output(logits, LOGITS, DataType.FLOAT, "N", Integer.toString(config.vocabSize()));
        } else {
            scores(logits);
        }
    }

    /**
     * LogSoftmax, not ReduceLogSumExp: ONNX Runtime's adds one float after another, which over 49,152 of them came out
     * 1.3e-4 too low on average. Nor Exp and ReduceSum: the order of its additions depends on how many rows there are.
     */
    private void scores(String logits) {
        String nextIds = graph.input(NEXT_IDS, DataType.INT64, "N", "1");
        String k = graph.input(K, DataType.INT64, "1");
        String[] top = graph.nodes("TopK", List.of(logits, k), 2,
                attribute("axis", -1L), attribute("largest", 1L), attribute("sorted", 1L));
        String topIds = graph.node("Cast", List.of(top[1]), attribute("to", (long) DataType.INT32.getNumber()));
        String logProbabilities = graph.node("LogSoftmax", List.of(logits), attribute("axis", -1L));
        String ofTop = graph.node("GatherElements", List.of(logProbabilities, top[1]), attribute("axis", 1L));
        String ofNext = graph.node("GatherElements", List.of(logProbabilities, nextIds), attribute("axis", 1L));
        String entropy = graph.node("Neg", List.of(graph.node("ReduceSum",
                List.of(mul(graph.node("Exp", List.of(logProbabilities)), logProbabilities), graph.longs(-1)), attribute("keepdims", 1L))));
        graph.output(ofTop, TOP_LOG_PROBABILITIES, DataType.FLOAT, "N", "K");
        graph.output(topIds, TOP_IDS, DataType.INT32, "N", "K");
        graph.output(ofNext, NEXT_LOG_PROBABILITY, DataType.FLOAT, "N", "1");
        graph.output(entropy, ENTROPY, DataType.FLOAT, "N", "1");
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

    private String silu(String x) {
        return mul(x, graph.node("Sigmoid", List.of(x)));
    }

    /** x · Wᵀ */
    private String linear(String x, String weight) {
        return graph.node("Gemm", List.of(x, weight(weight)), attribute("transB", 1L));
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
