// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/** A template that is not well-formed, asks for what is not supported or too much, or raised this itself. */
public final class TemplateException extends Exception {
    private final boolean located;

    TemplateException(String message) {
        this(message, false);
    }

    private TemplateException(String message, boolean located) {
        super(message);
        this.located = located;
    }

    static TemplateException at(int line, String message) {
        return new TemplateException("line " + line + ": " + message, true);
    }

    /** The same with the line of the template, where it has none yet. */
    TemplateException at(int line) {
        return located ? this : at(line, getMessage());
    }
}
