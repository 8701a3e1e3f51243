// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

/**
 * Rounds of an epoch from one whole state to the next.
 *
 * @param epoch number of the epoch
 * @param begin the first round
 * @param end   the last one, whose result is whole
 */
public record Stretch(int epoch, int begin, int end) {
    /** Returns the number of rounds before the whole one. */
    int rounds() {
        return end - begin;
    }
}
