// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/** Failure of a template that is malformed, uses something unsupported, exceeds its budget or raises an exception itself. */
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

    /** Adds the template's line, unless it is already known. */
    TemplateException at(int line) {
        return located ? this : at(line, getMessage());
    }
}
