// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;

class ModelFlopsTest {
    /** The shape of SmolLM2-135M, tied, counted by hand. */
    @Test
    void ofADenseModel() {
        CausalLmConfig config = new CausalLmConfig(49152, 576, 1536, 30, 9, 3, 64, 2048, 1e-5f, 10_000f, true);
        // Queries and output 576 x 576, keys and values 576 x 192; three matrices of 576 x 1536; the head.
        long layer = 331_776L + 331_776 + 110_592 + 110_592 + 3 * 884_736;
        ModelFlops flops = ModelFlops.of(config);
        assertEquals(30 * layer + 28_311_552, flops.weights());
        // Three tokens see 1 + 2 + 3 keys, for each of which a layer multiplies 576 channels twice, with 2 operations each.
        assertEquals(2.0 * 134_479_872 * 3 + 30 * 6 * 4 * 576, flops.forward(3));
        assertEquals(3 * flops.forward(3), flops.training(3));
        assertEquals(flops.forward(3), ModelFlops.of(config.untied()).forward(3), "a lookup multiplies nothing");
    }

    /** Experts, a width of heads that is not hidden / heads, and windows in one of two layers. */
    @Test
    void ofAMixtureOfExpertsWithWindows() {
        Traits traits = Traits.of(Family.QWEN3).with(new Traits.Experts(8, 2, true));
        CausalLmConfig config = new CausalLmConfig(100, 16, 24, 2, 4, 2, 8, 64, 1e-5f, 10_000f, false,
                new Variant(Family.QWEN3, false, false, 2, List.of(1), List.of(), traits));
        // Queries and output 16 x 32, keys and values 16 x 16; two experts of three 16 x 24; a router for 8; the head.
        long layer = 512 + 512 + 256 + 256 + 2 * 3 * 384 + 128;
        ModelFlops flops = ModelFlops.of(config);
        assertEquals(2 * layer + 1600, flops.weights());
        // Four tokens see 1 + 2 + 3 + 4 keys in one layer and 1 + 2 + 2 + 2 in the other.
        assertEquals(2.0 * (2 * layer + 1600) * 4 + 4 * 32 * (10 + 7), flops.forward(4));
        assertEquals(2.0 * (2 * layer + 1600) + 4 * 32 * 2, flops.forward(1), "shorter than the window");
    }
}
