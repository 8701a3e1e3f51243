// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/**
 * A token.
 *
 * @param value its text, or its number as Long or Double
 * @param line  line on which it begins, from 1
 */
record Token(Kind kind, Object value, int line) {
    enum Kind { DATA, BLOCK, VARIABLE, CLOSE, NAME, STRING, NUMBER, OPERATOR, END }

    boolean is(Kind wanted, Object what) {
        return kind == wanted && value.equals(what);
    }
}
