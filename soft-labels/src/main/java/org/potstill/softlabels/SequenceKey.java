// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/** The content key of a labelled sequence: equal keys mean equal targets. */
public final class SequenceKey {
    private SequenceKey() {
    }

    /**
     * Computes a key.
     *
     * @param tokens    token ids of the sequence
     * @param teacher   fingerprint of the teacher's weights
     * @param tokenizer fingerprint of its tokenizer
     * @param spec      what is kept of the distributions
     * @return 32 hex digits, the first half of a SHA-256
     */
    public static String of(int[] tokens, String teacher, String tokenizer, TargetSpec spec) {
        byte[] context = (teacher + "\n" + tokenizer + "\n" + spec.name() + "\n").getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(context.length + 4 * tokens.length).put(context);
        bytes.asIntBuffer().put(tokens);
        return HexFormat.of().formatHex(Arrays.copyOf(sha256(bytes.array()), 16));
    }

    static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
