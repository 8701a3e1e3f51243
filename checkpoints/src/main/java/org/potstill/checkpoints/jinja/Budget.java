package org.potstill.checkpoints.jinja;

import java.util.List;

/** What one rendering may use. Templates come with models from anywhere: none may take memory or time without end. */
final class Budget {
    /** Characters of one text, be it the whole output. */
    static final int MAX_CHARS = 1 << 22;
    static final int MAX_ITEMS = 1 << 16;
    private static final int MAX_STEPS = 2_000_000;
    private static final int STEPS_BETWEEN_LOOKS = 256;
    private static final long MAX_NANOS = 4_000_000_000L;

    private final long deadline = System.nanoTime() + MAX_NANOS;
    private int steps;

    /** For each expression and each statement. */
    void step() throws TemplateException {
        if (++steps > MAX_STEPS || steps % STEPS_BETWEEN_LOOKS == 0 && System.nanoTime() > deadline) {
            throw new TemplateException("it does not come to an end");
        }
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
