// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.tokenizer.EncodedChat;

/**
 * The positions of a sequence of a conversation that predict the assistant's tokens.
 *
 * @param lengths lengths of runs of positions, in turn outside responses, beginning with them, and in responses; they sum up to the
 *                positions of the sequence
 * @param last    first position from which on responses are the conversation's last one, the number of positions if that is not in this
 *                sequence; null if the conversation has no response
 */
public record ResponseRuns(List<Integer> lengths, Integer last) implements Serializable {
    /**
     * Converts what each position predicts.
     *
     * @param hasResponse whether the conversation has a response, in this sequence or another
     */
    public static ResponseRuns of(byte[] parts, boolean hasResponse) {
        List<Integer> lengths = new ArrayList<>();
        int last = parts.length;
        int begin = 0;
        for (int t = 0; t <= parts.length; t++) {
            boolean isResponse = lengths.size() % 2 == 1;
            if (t == parts.length ? t > begin : (parts[t] != EncodedChat.PROMPT) != isResponse) {
                lengths.add(t - begin);
                begin = t;
            }
            last = t < parts.length && parts[t] == EncodedChat.LAST_RESPONSE ? Math.min(last, t) : last;
        }
        return new ResponseRuns(List.copyOf(lengths), hasResponse ? last : null);
    }

    /** Returns what each position predicts, see {@link EncodedChat}. */
    public byte[] parts() {
        byte[] parts = new byte[lengths.stream().mapToInt(Integer::intValue).sum()];
        int t = 0;
        for (int run = 0; run < lengths.size(); run++) {
            for (int end = t + lengths.get(run); t < end; t++) {
                parts[t] = run % 2 == 0 ? EncodedChat.PROMPT : last != null && t >= last ? EncodedChat.LAST_RESPONSE : EncodedChat.RESPONSE;
            }
        }
        return parts;
    }
}
