// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/**
 * @param value text, Long or Double: what it stands for
 * @param line  where it begins, from 1
 */
record Token(Kind kind, Object value, int line) {
    enum Kind { DATA, BLOCK, VARIABLE, CLOSE, NAME, STRING, NUMBER, OPERATOR, END }

    boolean is(Kind wanted, Object what) {
        return kind == wanted && value.equals(what);
    }
}
