package org.potstill.checkpoints;

import static org.potstill.checkpoints.LlamaTensors.EMBEDDING;
import static org.potstill.checkpoints.LlamaTensors.FINAL_NORM;
import static org.potstill.checkpoints.LlamaTensors.HEAD;
import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.Arrays;
import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * The layers of a Llama-family decoder (Touvron et al. 2023, arXiv 2302.13971; grouped-query attention: Ainslie et al.
 * 2023, arXiv 2305.13245) in an ONNX graph, from token ids to logits. Activations are packed, {@code [N, H]}; what belongs
 * together in them only attention knows, which graphs bring: {@link LlamaGraph} and {@link CachedLlamaGraph}.
 */
final class LlamaLayers {
    /** What a layer attends to. */
    interface Attention {
        /**
         * @param q [N, heads·D], before it is turned
         * @param k [N, keyValueHeads·D], as {@code v}
         * @return [N, heads·D]
         */
        String of(String q, String k, String v, int layer);
    }

    private final OnnxGraph graph;
    private final CausalLmConfig config;
    private final LlamaGraph.Kernels kernels;
    private final Precision precision;
    private final boolean channelMaxima;
    private final WeightsLayout weights;
    private final Int8Linear int8;

    /** @param channelMaxima whether each linear layer's input is to be looked at, see {@link LlamaGraph.Ending#CHANNEL_MAXIMA} */
    LlamaLayers(OnnxGraph graph, CausalLmConfig config, LlamaGraph.Kernels kernels, Precision precision, boolean channelMaxima) {
        this(graph, config, kernels, precision, channelMaxima, WeightsLayout.of(config, precision));
    }

    /** @param weights a layout for the precision */
    LlamaLayers(OnnxGraph graph, CausalLmConfig config, LlamaGraph.Kernels kernels, Precision precision, boolean channelMaxima,
            WeightsLayout weights) {
        this.graph = graph;
        this.config = config;
        this.kernels = kernels;
        this.precision = precision;
        this.channelMaxima = channelMaxima;
        this.weights = weights;
        this.int8 = new Int8Linear(graph, weights);
    }

    /**
     * @param packedIds [N]
     * @return [N, H], what the head makes logits of
     */
    String hidden(String packedIds, Attention attention) {
        String x = graph.node("Gather", List.of(weight(EMBEDDING), packedIds));
        if (precision != Precision.FP16 && weights.span(EMBEDDING).type() == DataType.FLOAT16) {
            x = graph.node("Cast", List.of(x), attribute("to", (long) DataType.FLOAT.getNumber()));
        }
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            String[] qkv = linear(rmsNorm(x, layer(layer, "input_layernorm")), layer(layer, "self_attn.q_proj"),
                    layer(layer, "self_attn.k_proj"), layer(layer, "self_attn.v_proj"));
            if (config.headNorms()) {
                qkv[0] = headNorm(qkv[0], layer(layer, "self_attn.q_norm"), config.numAttentionHeads());
                qkv[1] = headNorm(qkv[1], layer(layer, "self_attn.k_norm"), config.numKeyValueHeads());
            }
            String attended = attention.of(qkv[0], qkv[1], qkv[2], layer);
            x = add(x, linear(attended, layer(layer, "self_attn.o_proj"))[0]);

            String[] gateUp = linear(rmsNorm(x, layer(layer, "post_attention_layernorm")), layer(layer, "mlp.gate_proj"),
                    layer(layer, "mlp.up_proj"));
            x = add(x, linear(mul(silu(gateUp[0]), gateUp[1]), layer(layer, "mlp.down_proj"))[0]);
        }
        String last = rmsNorm(x, FINAL_NORM);
        if (channelMaxima) {
            channelMaxima(last, HEAD);
        }
        return last;
    }

    /** In single precision, [N, V]. */
    String logits(String hidden) {
        return float32(linear(hidden, HEAD)[0]);
    }

    /** x / √(mean(x²) + ε) · g (Zhang and Sennrich 2019, arXiv 1910.07467). */
    private String rmsNorm(String x, String gain) {
        if (kernels == LlamaGraph.Kernels.FUSED) {
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
        if (channelMaxima) {
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

    private void channelMaxima(String x, String weight) {
        String largest = graph.node("ReduceMax", List.of(graph.node("Abs", List.of(x))),
                attribute("axes", new long[] {0}), attribute("keepdims", 0L));
        graph.output(largest, LlamaGraph.channelMaxima(weight), DataType.FLOAT, "C");
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

    String weight(String name) {
        return graph.external(name, weights.span(name));
    }

    private static String layer(int layer, String part) {
        return LlamaTensors.layer(layer, part);
    }
}
