// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.potstill.checkpoints.io.Sha256;

/**
 * Content keys of prompts and answers: equal keys mean equal answers.
 *
 * @param teacher   fingerprint of the teacher
 * @param tokenizer fingerprint of its tokenizer, with the tokens that end an answer
 * @param sampling  see {@link WriteSettings#name}
 * @param shared    number of tokens with which all prompts begin, see {@link Prompts}
 */
record AnswerKeys(String teacher, String tokenizer, String sampling, int shared) implements Serializable {
    /** Returns the key of a prompt: 32 hex digits, the first half of a SHA-256. */
    String prompt(int[] tokens) {
        return hash(teacher + "\n" + tokenizer + "\n" + sampling + "\n" + shared + "\n", tokens);
    }

    /** Returns the key of one of a prompt's answers. */
    static String answer(String prompt, int number) {
        return hash(prompt + "\n", number);
    }

    /** Returns the folder of all answers of this teacher and sampling. */
    String folder() {
        return "teacher=" + teacher.substring(0, 16) + "/sampling=" + sampling;
    }

    private static String hash(String context, int... numbers) {
        byte[] prefix = context.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(prefix.length + 4 * numbers.length).put(prefix);
        bytes.asIntBuffer().put(numbers);
        return HexFormat.of().formatHex(Arrays.copyOf(Sha256.digest().digest(bytes.array()), 16));
    }
}
