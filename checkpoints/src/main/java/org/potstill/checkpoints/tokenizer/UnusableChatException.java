// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

/** A conversation that a model cannot be trained on; the message says why. */
public final class UnusableChatException extends Exception {
    private static final long serialVersionUID = 1;

    public UnusableChatException(String message) {
        super(message);
    }
}
