// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;

/** What a layer's {@code GroupQueryAttention}, ONNX Runtime's fused kernel, is told of the model. */
record GroupQuery(CausalLmConfig config, RotaryTables tables) {
    static final String OPERATOR = "GroupQueryAttention";

    /**
     * Returns the kernel's inputs.
     *
     * @param first queries, keys and values, past keys and values, last positions, longest sequence
     */
    List<String> inputs(int layer, String... first) {
        List<String> inputs = new ArrayList<>(List.of(first));
        if (config.rotates(layer)) {
            inputs.addAll(List.of(tables.cos(layer), tables.sin(layer)));
        }
        return inputs;
    }

    /**
     * Adds a layer's attention over keys and values that it extends.
     *
     * @param batchAndTime  [2], B and T
     * @param q             [B·T, heads·D], before the rotary embedding
     * @param k             [B·T, keyValueHeads·D], like {@code v}
     * @param past          names of past keys and values, [B, keyValueHeads, S, D]
     * @param present       names that they get with the new ones
     * @param lastPositions [B]
     * @param longest       [1], tokens of the longest text
     * @return [B·T, heads·D]
     */
    String extend(OnnxGraph graph, int layer, String batchAndTime, String q, String k, String v, List<String> past, List<String> present,
            String lastPositions, String longest) {
        long heads = config.numAttentionHeads();
        long keyValueHeads = config.numKeyValueHeads();
        String attended = "attended." + layer;
        graph.contrib(OPERATOR, inputs(layer, batched(graph, batchAndTime, q, heads), batched(graph, batchAndTime, k, keyValueHeads),
                batched(graph, batchAndTime, v, keyValueHeads), past.get(0), past.get(1), lastPositions, longest),
                List.of(attended, present.get(0), present.get(1)), attributes(layer));
        return graph.node("Reshape", List.of(attended, graph.longs(-1, heads * config.headDim())));
    }

    /** Returns rows [B·T, n·D] as [B, T, n·D]. */
    String batched(OnnxGraph graph, String batchAndTime, String x, long n) {
        String shape = graph.node("Concat", List.of(batchAndTime, graph.longs(n * config.headDim())), attribute("axis", 0L));
        return graph.node("Reshape", List.of(x, shape));
    }

    OnnxGraph.Attribute[] attributes(int layer) {
        int window = config.slidingWindow(layer);
        List<OnnxGraph.Attribute> attributes = new ArrayList<>(List.of(
                attribute("num_heads", (long) config.numAttentionHeads()), attribute("kv_num_heads", (long) config.numKeyValueHeads()),
                attribute("do_rotary", config.rotates(layer) ? 1L : 0L), attribute("rotary_interleaved", 0L),
                attribute("scale", (float) config.attentionScale()),
                attribute("local_window_size", window > 0 ? (long) window : -1L)));
        if (config.traits().softcaps().attention() > 0) {
            attributes.add(attribute("softcap", (float) config.traits().softcaps().attention()));
        }
        return attributes.toArray(OnnxGraph.Attribute[]::new);
    }
}
