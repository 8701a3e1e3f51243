// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.List;

/** The limits of one rendering. Templates are untrusted: none may use unbounded memory or time. */
final class Budget {
    /** Limit on the characters of one text, including the whole output. */
    static final int MAX_CHARS = 1 << 22;
    static final int MAX_ITEMS = 1 << 16;
    private static final int MAX_STEPS = 2_000_000;
    private static final int STEPS_BETWEEN_LOOKS = 256;
    private static final long MAX_NANOS = 4_000_000_000L;

    /** Limit on the bytes of all computed values, including those no longer in use. */
    private static final long MAX_BYTES = 1 << 28;

    private final long deadline = System.nanoTime() + MAX_NANOS;
    private int steps;
    private long bytes;

    /** Counts a step: an expression or a statement. */
    void step() throws TemplateException {
        if (++steps > MAX_STEPS || steps % STEPS_BETWEEN_LOOKS == 0 && System.nanoTime() > deadline) {
            throw new TemplateException("it runs for too long");
        }
    }

    /** Counts the bytes of a computed value, and returns it. */
    Object made(Object value) throws TemplateException {
        bytes += value instanceof String text ? text.length() : value instanceof List<?> list ? 8L * list.size()
                : value instanceof View view ? 8L * view.items().size() : value instanceof Markup markup ? markup.text().length() : 0;
        if (bytes > MAX_BYTES) {
            throw new TemplateException("it computes more than " + (MAX_BYTES >> 20) + " MiB of texts and lists");
        }
        return value;
    }

    void chars(long count) throws TemplateException {
        if (count > MAX_CHARS) {
            throw new TemplateException("it makes a text of more than " + MAX_CHARS + " characters");
        }
    }

    void items(long count) throws TemplateException {
        if (count > MAX_ITEMS) {
            throw new TemplateException("it makes a list of more than " + MAX_ITEMS + " items");
        }
    }

    String text(String text) throws TemplateException {
        chars(text.length());
        return text;
    }

    List<Object> list(List<Object> list) throws TemplateException {
        items(list.size());
        return list;
    }
}
