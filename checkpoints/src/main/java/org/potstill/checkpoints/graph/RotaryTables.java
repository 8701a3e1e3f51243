// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.util.function.UnaryOperator;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * Cosines and sines of the rotary embedding as values of a graph, and those of the layers with local frequencies.
 *
 * @param localCos null in models without local frequencies, as {@code localSin}
 */
record RotaryTables(CausalLmConfig config, String cos, String sin, String localCos, String localSin) {
    /** Refers to the tables {@code [positions, D/2]} among the weights. */
    static RotaryTables stored(CausalLmConfig config, LlamaLayers layers) {
        boolean local = config.hasLocalFrequencies();
        return new RotaryTables(config, layers.weight(WeightsLayout.ROPE_COS), layers.weight(WeightsLayout.ROPE_SIN),
                local ? layers.weight(WeightsLayout.LOCAL_COS) : null, local ? layers.weight(WeightsLayout.LOCAL_SIN) : null);
    }

    /** Returns the tables after a change of each. */
    RotaryTables map(UnaryOperator<String> change) {
        return new RotaryTables(config, change.apply(cos), change.apply(sin), localCos == null ? null : change.apply(localCos),
                localSin == null ? null : change.apply(localSin));
    }

    String cos(int layer) {
        return config.isLocal(layer) ? localCos : cos;
    }

    String sin(int layer) {
        return config.isLocal(layer) ? localSin : sin;
    }
}
