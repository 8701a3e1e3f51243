// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

/**
 * Work of a writer.
 *
 * @param promptTokens tokens of prompts that were read
 * @param sharedTokens tokens of prompts whose keys and values were copied from another text
 * @param newTokens    tokens written, including those that ended texts
 * @param steps        forward passes that wrote tokens; of a server, whose passes are out of sight, answers
 * @param seconds      time spent reading and writing
 */
public record WritingWork(long promptTokens, long sharedTokens, long newTokens, long steps, double seconds) {
}
