// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

/**
 * The tokens of a conversation.
 *
 * @param ids   token ids
 * @param parts what each token belongs to: {@link #PROMPT}, {@link #RESPONSE} or {@link #LAST_RESPONSE}
 */
public record EncodedChat(int[] ids, byte[] parts) {
    /** Not the assistant's. */
    public static final byte PROMPT = 0;
    /** A response of the assistant, with the token that ends it. */
    public static final byte RESPONSE = 1;
    /** The last response of the conversation. */
    public static final byte LAST_RESPONSE = 2;
}
