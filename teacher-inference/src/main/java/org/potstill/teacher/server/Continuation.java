// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import org.potstill.teacher.generation.SamplingOptions;

/**
 * What a server is asked to write.
 *
 * @param prompt       token ids
 * @param maxNewTokens tokens that the limit and the server's context leave room for
 * @param sampling     its seed is not used
 * @param seed         of this answer's draws
 * @param stopIds      tokens that end an answer
 */
record Continuation(RequestTokens prompt, int maxNewTokens, SamplingOptions sampling, long seed, int[] stopIds) {
}
