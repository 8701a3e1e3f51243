// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.util.Set;
import org.potstill.checkpoints.model.CausalLmConfig.Family;

/**
 * The order in which GGUF files of the architecture "llama" and its nearest relatives store the rows of query and key projections and their biases.
 *
 * <p>llama.cpp turns neighbouring dimensions (2j, 2j + 1) of a head together, Hugging Face turns dimension j with
 * j + headDim/2; llama.cpp's converter therefore interleaves the two halves of each head's rows. For others it turns
 * halves, too, and rows stay in their order.
 */
final class RotaryRows {
    private static final Set<Family> INTERLEAVED = Set.of(Family.LLAMA, Family.MISTRAL, Family.MIXTRAL, Family.SMOLLM3, Family.GRANITE);

    private RotaryRows() {
    }

    /** @param name Hugging Face name of a tensor */
    static boolean isInterleaved(Family family, String name) {
        return INTERLEAVED.contains(family) && (name.contains(".q_proj.") || name.contains(".k_proj."));
    }

    /** Row in the file of a row in Hugging Face's order. */
    static long stored(long row, int headDim) {
        int half = headDim / 2;
        long inHead = row % headDim;
        return row - inHead + inHead % half * 2 + inHead / half;
    }

    /** Row in Hugging Face's order of a row in the file: the inverse of {@link #stored}. */
    static long halfSplit(long stored, int headDim) {
        long inHead = stored % headDim;
        return stored - inHead + inHead % 2 * (headDim / 2) + inHead / 2;
    }
}
