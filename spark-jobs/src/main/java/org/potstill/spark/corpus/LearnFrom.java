// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import org.potstill.checkpoints.tokenizer.EncodedChat;

/** The tokens of conversations that a student learns to predict. */
public enum LearnFrom {
    EVERYTHING,
    /** All that the assistant says. */
    RESPONSES,
    /** The last that it says. */
    LAST_RESPONSE;

    /** Returns the mask of positions that predict such tokens. */
    public boolean[] mask(byte[] parts) {
        boolean[] mask = new boolean[parts.length];
        for (int t = 0; t < mask.length; t++) {
            mask[t] = this == EVERYTHING || parts[t] == EncodedChat.LAST_RESPONSE || this == RESPONSES && parts[t] == EncodedChat.RESPONSE;
        }
        return mask;
    }
}
