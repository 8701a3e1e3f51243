// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

/**
 * Scores of the models on one text.
 *
 * @param documents documents scored, in part or whole
 * @param positions positions scored
 * @param unigram   score of token counts of the training documents; null if not counted
 * @param bigram    score of token-pair counts of the training documents; null if not counted
 */
public record TextScore(int documents, long positions, ModelScore teacher, ModelScore student, ModelScore unigram, ModelScore bigram) {
}
