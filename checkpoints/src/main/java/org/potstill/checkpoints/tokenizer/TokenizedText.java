// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

/**
 * The tokens of a text with their places in it, as given by the library: those of a token may leave out the white space in it.
 *
 * @param ids  token ids
 * @param from first character of each token, in UTF-16
 * @param to   the character after its last one
 */
record TokenizedText(int[] ids, int[] from, int[] to) {
}
