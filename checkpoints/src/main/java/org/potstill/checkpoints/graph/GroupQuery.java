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
