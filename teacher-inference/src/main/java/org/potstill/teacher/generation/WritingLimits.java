// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

/**
 * Limits of a batch of texts.
 *
 * @param texts       texts written at a time, at most
 * @param cacheBytes  memory for keys and values; a text that needs more gets more
 */
public record WritingLimits(int texts, long cacheBytes) {
}
