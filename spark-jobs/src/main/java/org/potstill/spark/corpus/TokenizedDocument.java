// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.util.List;
import org.potstill.checkpoints.tokenizer.EncodedChat;

/**
 * A document as the models see it.
 *
 * @param id        of the document
 * @param problem   why it cannot be used; null when it can
 * @param heldOut   whether it is kept for evaluation
 * @param sequences token ids; each sequence begins with the last token of the one before, so that every token but the
 *                  document's first is predicted exactly once
 * @param parts     for each position of each sequence, what the token that it predicts belongs to, see {@link EncodedChat}; null if the
 *                  document is not a conversation
 * @param origin    where it comes from
 */
public record TokenizedDocument(String id, String problem, boolean heldOut, List<int[]> sequences, List<byte[]> parts, Origin origin)
        implements Serializable {
    /** Makes a document of unknown origin. */
    public TokenizedDocument(String id, String problem, boolean heldOut, List<int[]> sequences, List<byte[]> parts) {
        this(id, problem, heldOut, sequences, parts, Origin.UNKNOWN);
    }

    static TokenizedDocument unusable(String id, String problem) {
        return new TokenizedDocument(id, problem, false, List.of(), null);
    }

    TokenizedDocument from(Origin where) {
        return new TokenizedDocument(id, problem, heldOut, sequences, parts, where);
    }

    /** Whether it is a conversation in which the assistant says something. */
    public boolean hasResponse() {
        if (parts != null) {
            for (byte[] sequence : parts) {
                for (byte part : sequence) {
                    if (part != EncodedChat.PROMPT) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    /** Next-token predictions in the document. */
    public long positions() {
        return sequences.stream().mapToLong(s -> s.length - 1L).sum();
    }
}
