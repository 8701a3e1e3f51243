// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

/**
 * A sequence to score.
 *
 * @param text     number of the text it belongs to: 0 for the held-out documents, then the further corpora
 * @param document document it is from
 * @param tokens   position t predicts token t + 1
 * @param counted  mask of the positions to score; null for all
 */
record Passage(int text, String document, int[] tokens, boolean[] counted) implements Work {
    @Override
    public long positions() {
        return tokens.length - 1L;
    }
}
