// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;
import static org.potstill.checkpoints.model.LlamaTensors.EMBEDDING;
import static org.potstill.checkpoints.model.LlamaTensors.FINAL_NORM;
import static org.potstill.checkpoints.model.LlamaTensors.HEAD;

import java.util.Arrays;
import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;

/**
 * The layers of a Llama-family decoder (Touvron et al. 2023, arXiv 2302.13971; grouped-query attention: Ainslie et al.
 * 2023, arXiv 2305.13245) in an ONNX graph, from token ids to logits. Activations are packed, {@code [N, H]}: only the
 * attention, which each graph supplies, knows which rows form a sequence. See {@link LlamaGraph} and {@link
 * CachedLlamaGraph}.
 */
final class LlamaLayers {
    /** Attention as a graph implements it: with or without packing, padding and a cache. */
    interface Attention {
        /**
         * Adds a layer's attention, rotary embedding included.
         *
         * @param q [N, heads·D], before the rotary embedding
         * @param k [N, keyValueHeads·D], like {@code v}, or the rows that {@link #rows} selects
         * @return [N, heads·D]
         */
        String attend(String q, String k, String v, int layer);

        /** Returns the rows of the projections that this attention takes; null for all rows in stored order. */
        default Rows rows() {
            return null;
        }
    }

    /**
     * Rows of the query, key and value projections, and of their biases, in the order that an attention takes them.
     *
     * @param queries row indices [heads·D], as are {@code keys} and {@code values}; {@code values} is null for all rows
     *                in stored order
     * @param head    [D], the matching order of a head's dimensions, for the gains of norms of single heads; null in
     *                models without such norms
     */
    record Rows(String queries, String keys, String values, String head) {
    }

    /** Hook for a layer's activations while its graph is built. */
    interface Observer {
        Observer NONE = new Observer() { };

        /** Receives the input of attention, then the input of the feed-forward, [N, H]. */
        default void normed(String x) {
        }

        /** Receives the output of the attention heads, [N, heads·D]. */
        default void attended(String x) {
        }

        /** Receives the inner activations of the feed-forward, [N, I]. */
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
    private final Elementwise math;

    /**
     * @param channelMaxima whether to output the channel maxima of linear layers' inputs, see {@link
     *                      LlamaGraph.Ending#CHANNEL_MAXIMA}
     */
    LlamaLayers(OnnxGraph graph, CausalLmConfig config, LlamaGraph.Kernels kernels, Precision precision, boolean channelMaxima) {
        this(graph, config, kernels, precision, channelMaxima, WeightsLayout.of(config, precision));
    }

    /** @param weights layout for {@code precision} */
    LlamaLayers(OnnxGraph graph, CausalLmConfig config, LlamaGraph.Kernels kernels, Precision precision, boolean channelMaxima,
            WeightsLayout weights) {
        this.graph = graph;
        this.config = config;
        this.kernels = kernels;
        this.precision = precision;
        this.channelMaxima = channelMaxima;
        this.weights = weights;
        this.int8 = new Int8Linear(graph, weights);
        this.math = new Elementwise(graph, config.traits().activation(), kernels != LlamaGraph.Kernels.PLAIN, precision);
    }

    /**
     * Adds the embedding, all layers and the final norm.
     *
     * @param packedIds [N]
     * @return [N, H], the input of the language-model head
     */
    String hidden(String packedIds, Attention attention) {
        String x = embed(packedIds);
        Residual state = new Residual(x, norm(x, inputGain(0)));
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            Residual middle = attend(state, layer, attention, Observer.NONE);
            state = residual(middle.sum, feedForward(middle.normed, layer, Observer.NONE),
                    LlamaTensors.feedForwardOutputNorm(config, layer), inputGain(layer + 1));
        }
        if (channelMaxima) {
            channelMaxima(state.normed, HEAD);
        }
        return state.normed;
    }

    /** Returns the name of the gain of the norm before a layer, or before the head; null for none. */
    private String inputGain(int layer) {
        return layer < config.numHiddenLayers() ? LlamaTensors.attentionInputNorm(config, layer) : FINAL_NORM;
    }

    /** The residual stream and its norm, or itself where there is no norm: the input of the next sublayer. */
    private record Residual(String sum, String normed) {
    }

    /**
     * Adds a sublayer's output to the residual stream.
     *
     * @param after gain of the norm after the sublayer; null for none
     * @param gain  gain of the norm before the next one; null for none
     */
    private Residual residual(String x, String output, String after, String gain) {
        String more = math.scaled(norm(output, after), config.traits().scales().residual());
        if (kernels == LlamaGraph.Kernels.GPU && gain != null) {
            String[] both = graph.contrib("SkipSimplifiedLayerNormalization", List.of(x, more, weight(gain)),
                    new boolean[] {true, false, false, true}, attribute("epsilon", config.rmsNormEps()));
            return new Residual(both[3], both[0]);
        }
        String sum = math.add(x, more);
        return new Residual(sum, norm(sum, gain));
    }

    private String[] queriesKeysValues(String x, int layer, Rows rows) {
        String[] names = {layer(layer, "self_attn.q_proj"), layer(layer, "self_attn.k_proj"), layer(layer, "self_attn.v_proj")};
        return rows == null ? linear(x, names)
                : new String[] {gemm(x, names[0], rows.queries), gemm(x, names[1], rows.keys), gemm(x, names[2], rows.values)};
    }

    /** Adds the language-model head; returns logits [N, V], in half precision for FP16. */
    String rawLogits(String hidden) {
        return math.softcapped(linear(math.scaled(hidden, config.traits().scales().logits()), HEAD)[0], config.traits().softcaps().logits());
    }

    /** Adds the embedding, [N] to [N, H]. */
    String embed(String packedIds) {
        String x = graph.node("Gather", List.of(weight(EMBEDDING), packedIds));
        boolean widened = precision != Precision.FP16 && weights.span(EMBEDDING).type() == DataType.FLOAT16;
        return math.scaled(widened ? graph.cast(x, DataType.FLOAT) : x, config.traits().scales().embedding());
    }

    /** Adds a single layer, [N, H] to [N, H]. */
    String layer(String x, int layer, Attention attention, Observer observer) {
        Residual middle = attend(new Residual(x, norm(x, inputGain(layer))), layer, attention, observer);
        return residual(middle.sum, feedForward(middle.normed, layer, observer), LlamaTensors.feedForwardOutputNorm(config, layer), null).sum;
    }

    private Residual attend(Residual before, int layer, Attention attention, Observer observer) {
        observer.normed(before.normed);
        Rows rows = attention.rows();
        String[] qkv = queriesKeysValues(before.normed, layer, rows);
        String queryGain = layer(layer, "self_attn.q_norm");
        String keyGain = layer(layer, "self_attn.k_norm");
        switch (config.traits().headNorms()) {
            case NONE -> { }
            case EACH -> {
                String order = rows == null ? null : rows.head();
                qkv[0] = headNorm(qkv[0], picked(queryGain, order), config.numAttentionHeads());
                qkv[1] = headNorm(qkv[1], picked(keyGain, order), rows == null ? config.numKeyValueHeads() : config.numAttentionHeads());
            }
            case ALL -> {
                // Rows that repeat key heads repeat all of them equally often, which leaves the mean as it is.
                qkv[0] = rmsNorm(qkv[0], picked(queryGain, rows == null ? null : rows.queries));
                qkv[1] = rmsNorm(qkv[1], picked(keyGain, rows == null ? null : rows.keys));
            }
        }
        String attended = attention.attend(qkv[0], qkv[1], qkv[2], layer);
        observer.attended(attended);
        return residual(before.sum, linear(attended, layer(layer, "self_attn.o_proj"))[0],
                LlamaTensors.attentionOutputNorm(config, layer), LlamaTensors.feedForwardInputNorm(config, layer));
    }

    /** Adds SwiGLU or GeGLU (Shazeer 2020, arXiv 2002.05202). */
    private String feedForward(String normed, int layer, Observer observer) {
        observer.normed(normed);
        if (config.traits().experts().count() > 0) {
            return new Experts(graph, config, precision).apply(normed, linear(normed, layer(layer, LlamaTensors.ROUTER))[0],
                    kernels != LlamaGraph.Kernels.PLAIN, (rows, expert) -> gated(rows, layer, LlamaTensors.expert(expert), Observer.NONE));
        }
        return gated(normed, layer, "mlp.", observer);
    }

    private String gated(String x, int layer, String mlp, Observer observer) {
        String[] gateUp = linear(x, layer(layer, mlp + "gate_proj"), layer(layer, mlp + "up_proj"));
        String neurons = math.mul(math.activated(gateUp[0]), gateUp[1]);
        observer.neurons(neurons);
        return linear(neurons, layer(layer, mlp + "down_proj"))[0];
    }

    String finalNorm(String x) {
        return rmsNorm(x, weight(FINAL_NORM));
    }

    /** Adds the language-model head; returns logits [N, V] in single precision. */
    String logits(String hidden) {
        return float32(rawLogits(hidden));
    }

    /** Adds RMSNorm by its gain's name, or nothing for null. */
    private String norm(String x, String gain) {
        return gain == null ? x : rmsNorm(x, weight(gain));
    }

    /** Adds RMSNorm: x / √(mean(x²) + ε) · g (Zhang and Sennrich 2019, arXiv 1910.07467). */
    private String rmsNorm(String x, String gain) {
        if (kernels != LlamaGraph.Kernels.PLAIN) {
            return graph.node("SimplifiedLayerNormalization", List.of(x, gain),
                    attribute("axis", -1L), attribute("epsilon", config.rmsNormEps()));
        }
        String meanSquare = graph.node("ReduceMean", List.of(math.mul(x, x)),
                attribute("axes", new long[] {-1}), attribute("keepdims", 1L));
        String root = graph.node("Sqrt", List.of(math.add(meanSquare, graph.scalar(config.rmsNormEps()))));
        return math.mul(graph.node("Div", List.of(x, root)), gain);
    }

    /** Adds RMSNorm over each head separately, as in Qwen3 (Yang et al. 2025, arXiv 2505.09388). */
    private String headNorm(String x, String gain, long heads) {
        String normed = rmsNorm(graph.node("Reshape", List.of(x, graph.longs(-1, config.headDim()))), gain);
        return graph.node("Reshape", List.of(normed, graph.longs(-1, heads * config.headDim())));
    }

    /** Adds x · Wᵀ for each weight, plus its bias if the model has one. */
    private String[] linear(String x, String... names) {
        if (channelMaxima) {
            channelMaxima(x, names[0]);
        }
        if (precision != Precision.INT8) {
            return Arrays.stream(names).map(name -> gemm(x, name, null)).toArray(String[]::new);
        }
        // 8-bit activations cost most here: with the finer product, SmolLM2-135M's KL to FP32 falls from 0.0143 to 0.0088
        // nats.
        boolean fine = names[0].endsWith("q_proj.weight") || names[0].endsWith("down_proj.weight");
        String[] products = int8.apply(x, fine, names);
        for (int i = 0; i < names.length; i++) {
            String bias = LlamaTensors.bias(names[i]);
            products[i] = weights.span(bias) == null ? products[i] : math.add(products[i], weight(bias));
        }
        return products;
    }

    private String gemm(String x, String name, String rows) {
        String bias = LlamaTensors.bias(name);
        String weight = picked(name.equals(HEAD) && config.tieWordEmbeddings() ? EMBEDDING : name, rows);
        return graph.node("Gemm", weights.span(bias) == null ? List.of(x, weight) : List.of(x, weight, picked(bias, rows)),
                attribute("transB", 1L));
    }

    /** Selects rows of a weight; null for all. This is free at run time: the engine folds constants when it loads the graph. */
    private String picked(String name, String rows) {
        return rows == null ? weight(name) : graph.node("Gather", List.of(weight(name), rows), attribute("axis", 0L));
    }

    private void channelMaxima(String x, String weight) {
        String largest = graph.node("ReduceMax", List.of(graph.node("Abs", List.of(x))),
                attribute("axes", new long[] {0}), attribute("keepdims", 0L));
        graph.output(largest, LlamaGraph.channelMaxima(weight), DataType.FLOAT, "C");
    }

    private String float32(String x) {
        return precision == Precision.FP16 ? graph.cast(x, DataType.FLOAT) : x;
    }

    String weight(String name) {
        return graph.external(name, weights.span(name));
    }

    private static String layer(int layer, String part) {
        return LlamaTensors.layer(layer, part);
    }
}
