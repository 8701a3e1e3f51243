// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.util.List;

/**
 * Summary of a run.
 *
 * @param documents     documents of the corpus
 * @param unusable      documents in the quarantine
 * @param prompts       distinct prompts
 * @param written       answers written in this run; those in the store cost nothing
 * @param newTokens     their tokens
 * @param unwritten     prompts in the quarantine because the teacher could not answer them
 * @param stopped       answers to these prompts that the teacher ended
 * @param truncated     answers that the limit or the context cut off
 * @param empty         empty answers
 * @param conversations answers that were published
 * @param tokens        tokens of all answers to these prompts
 * @param bytes         bytes written to the store
 * @param files         files written to the store
 * @param seconds       wall-clock time, including reading and tokenizing
 * @param writing       wall-clock time of writing
 * @param teacher       name of its file or folder
 * @param path          folder of the conversations
 * @param samples       some conversations
 */
public record WriteSummary(long documents, long unusable, long prompts, long written, long newTokens, long unwritten, long stopped,
        long truncated, long empty, long conversations, long tokens, long bytes, int files, double seconds, double writing, String teacher,
        String path, List<Sample> samples) {
    /** A prompt, the last message of its user, and the answer. */
    public record Sample(String prompt, String answer, String finish) {
    }
}
