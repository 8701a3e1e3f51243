// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

/**
 * Scores of the models on one text.
 *
 * @param documents documents scored, in part or whole
 * @param positions positions scored
 * @param unigram   counts of single tokens in the training documents; null where they were not counted
 * @param bigram    counts of pairs of tokens in the training documents; null where they were not counted
 */
public record TextScore(int documents, long positions, ModelScore teacher, ModelScore student, ModelScore unigram, ModelScore bigram) {
}
