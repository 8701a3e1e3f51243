package org.potstill.checkpoints.jinja;

/**
 * A value that is not there: empty where it is written, an error where it is used.
 *
 * @param name of the variable or member that was asked for; empty where it has none
 */
record Undefined(String name) {
    static final Undefined NAMELESS = new Undefined("");
}
