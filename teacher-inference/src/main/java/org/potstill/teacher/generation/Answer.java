// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

/**
 * A continuation.
 *
 * @param tokens  new token ids, without the one that ended the text
 * @param end     why it ended
 */
public record Answer(int[] tokens, End end) {
    /** STOP: the model ended its text. LENGTH: the limit or the context was reached. NOT_FINITE: a logit was not finite. */
    public enum End { STOP, LENGTH, NOT_FINITE }
}
