// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/**
 * A missing value: empty when written, an error when used.
 *
 * @param name of the variable or member; empty if it has none
 */
record Undefined(String name) {
    static final Undefined NAMELESS = new Undefined("");
}
