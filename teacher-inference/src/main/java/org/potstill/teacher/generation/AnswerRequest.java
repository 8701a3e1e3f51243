// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import org.potstill.teacher.scoring.UniformNumbers;

/**
 * A text to continue.
 *
 * @param prompt       token ids, at least one
 * @param shared       length of the beginning that other prompts may share, such as a system message; it is read once. Part
 *                     of what decides the answer's last bits, so it must not depend on which other prompts there are
 * @param maxNewTokens tokens to write at most
 * @param answer       number of the answer, which decides the draws together with the prompt and the seed
 * @param seed         for the draws
 */
public record AnswerRequest(int[] prompt, int shared, int maxNewTokens, int answer, long seed) {
    /** Returns the numbers that decide the draws, by position of the new token in the answer. */
    public UniformNumbers points() {
        return new UniformNumbers("answer " + answer + " seed " + seed, prompt);
    }
}
