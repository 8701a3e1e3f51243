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
         * @param k [N, keyValueHeads·D], as {@code v}, or what {@link #rows} asks for
         * @return [N, heads·D]
         */
        String of(String q, String k, String v, int layer);

        /** Null for all rows as they are. */
        default Rows rows() {
            return null;
        }
    }

    /**
     * How an attention wants its inputs made: which rows of the weights, and so of the biases, in which order.
     *
     * @param queries [heads·D], as {@code keys} and {@code values}, which is null where that is all rows as they are
     * @param head    [D], the order of the dimensions of a head of queries or keys, for the gains of their norms; null in
     *                models that have none
     */
    record Rows(String queries, String keys, String values, String head) {
    }

    /** Looks at a layer's activations while its graph is built. */
    interface Observer {
        Observer NONE = new Observer() { };

        /** @param x [N, H], what attention, then what the feed-forward reads */
        default void normed(String x) {
        }

        /** @param x [N, heads·D], what the heads give */
        default void attended(String x) {
        }

        /** @param x [N, I], the feed-forward's inner activations */
        default void neurons(String x) {
        }
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
        String x = embed(packedIds);
        Residual state = new Residual(x, rmsNorm(x, weight(inputGain(0))));
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            Residual middle = attend(state, layer, attention, Observer.NONE);
            state = residual(middle.sum, feedForward(middle.normed, layer, Observer.NONE), inputGain(layer + 1));
        }
        if (channelMaxima) {
            channelMaxima(state.normed, HEAD);
        }
        return state.normed;
    }

    /** Of the norm before a layer, or before the head. */
    private String inputGain(int layer) {
        return layer < config.numHiddenLayers() ? layer(layer, "input_layernorm") : FINAL_NORM;
    }

    /** The residual stream, and its norm for what reads it next. */
    private record Residual(String sum, String normed) {
    }

    private Residual residual(String x, String more, String gain) {
        if (kernels == LlamaGraph.Kernels.GPU) {
            String[] both = graph.contrib("SkipSimplifiedLayerNormalization", List.of(x, more, weight(gain)),
                    new boolean[] {true, false, false, true}, attribute("epsilon", config.rmsNormEps()));
            return new Residual(both[3], both[0]);
        }
        String sum = add(x, more);
        return new Residual(sum, rmsNorm(sum, weight(gain)));
    }

    private String[] queriesKeysValues(String x, int layer, Rows rows) {
        String[] names = {layer(layer, "self_attn.q_proj"), layer(layer, "self_attn.k_proj"), layer(layer, "self_attn.v_proj")};
        return rows == null ? linear(x, names)
                : new String[] {gemm(x, names[0], rows.queries), gemm(x, names[1], rows.keys), gemm(x, names[2], rows.values)};
    }

    /** As the precision has it, [N, V]. */
    String rawLogits(String hidden) {
        return linear(hidden, HEAD)[0];
    }

    /** [N] to [N, H] */
    String embed(String packedIds) {
        String x = graph.node("Gather", List.of(weight(EMBEDDING), packedIds));
        return precision != Precision.FP16 && weights.span(EMBEDDING).type() == DataType.FLOAT16
                ? graph.node("Cast", List.of(x), attribute("to", (long) DataType.FLOAT.getNumber())) : x;
    }

    /** One layer by itself, [N, H] to [N, H]. */
    String layer(String x, int layer, Attention attention, Observer observer) {
        Residual middle = attend(new Residual(x, rmsNorm(x, weight(inputGain(layer)))), layer, attention, observer);
        return add(middle.sum, feedForward(middle.normed, layer, observer));
    }

    private Residual attend(Residual before, int layer, Attention attention, Observer observer) {
        observer.normed(before.normed);
        Rows rows = attention.rows();
        String[] qkv = queriesKeysValues(before.normed, layer, rows);
        if (config.headNorms()) {
            String order = rows == null ? null : rows.head();
            qkv[0] = headNorm(qkv[0], picked(layer(layer, "self_attn.q_norm"), order), config.numAttentionHeads());
            qkv[1] = headNorm(qkv[1], picked(layer(layer, "self_attn.k_norm"), order),
                    rows == null ? config.numKeyValueHeads() : config.numAttentionHeads());
        }
        String attended = attention.of(qkv[0], qkv[1], qkv[2], layer);
        observer.attended(attended);
        return residual(before.sum, linear(attended, layer(layer, "self_attn.o_proj"))[0], layer(layer, "post_attention_layernorm"));
    }

    /** SwiGLU (Shazeer 2020, arXiv 2002.05202). */
    private String feedForward(String normed, int layer, Observer observer) {
        observer.normed(normed);
        String[] gateUp = linear(normed, layer(layer, "mlp.gate_proj"), layer(layer, "mlp.up_proj"));
        String neurons = mul(silu(gateUp[0]), gateUp[1]);
        observer.neurons(neurons);
        return linear(neurons, layer(layer, "mlp.down_proj"))[0];
    }

    String finalNorm(String x) {
        return rmsNorm(x, weight(FINAL_NORM));
    }

    /** In single precision, [N, V]. */
    String logits(String hidden) {
        return float32(rawLogits(hidden));
    }

    /** x / √(mean(x²) + ε) · g (Zhang and Sennrich 2019, arXiv 1910.07467). */
    private String rmsNorm(String x, String gain) {
        if (kernels != LlamaGraph.Kernels.PLAIN) {
            return graph.node("SimplifiedLayerNormalization", List.of(x, gain),
                    attribute("axis", -1L), attribute("epsilon", config.rmsNormEps()));
        }
        String meanSquare = graph.node("ReduceMean", List.of(mul(x, x)),
                attribute("axes", new long[] {-1}), attribute("keepdims", 1L));
        String root = graph.node("Sqrt", List.of(add(meanSquare, graph.scalar(config.rmsNormEps()))));
        return mul(graph.node("Div", List.of(x, root)), gain);
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
            return Arrays.stream(names).map(name -> gemm(x, name, null)).toArray(String[]::new);
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

    private String gemm(String x, String name, String rows) {
        String bias = LlamaTensors.bias(name);
        String weight = picked(name.equals(HEAD) && config.tieWordEmbeddings() ? EMBEDDING : name, rows);
        return graph.node("Gemm", weights.span(bias) == null ? List.of(x, weight) : List.of(x, weight, picked(bias, rows)),
                attribute("transB", 1L));
    }

    /** Some rows of a weight, once and for all: the engine computes what is made of constants when it loads the graph. */
    private String picked(String name, String rows) {
        return rows == null ? weight(name) : graph.node("Gather", List.of(weight(name), rows), attribute("axis", 0L));
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
