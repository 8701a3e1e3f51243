// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The filter {@code tojson} as in transformers: Python's {@code json.dumps}, without HTML escapes. */
final class JsonWriting {
    private static final int MAX_INDENT = 100;

    private final StringBuilder out = new StringBuilder();
    private final Budget budget;
    private final boolean ascii;
    private final boolean sorted;
    /** Indentation per level; null to write everything on one line. */
    private final String indent;
    private final String separator;
    private final String colon;

    private JsonWriting(Function.Arguments a, Budget budget) throws TemplateException {
        this.budget = budget;
        this.ascii = a.flag(0, "ensure_ascii");
        Object given = a.get(1, "indent", null);
        this.indent = given == null || given instanceof String ? (String) given
                : " ".repeat(Math.max(0, Math.min(MAX_INDENT, a.integer(1, "indent", 0))));
        Object separators = a.get(2, "separators", null);
        if (separators != null && !(separators instanceof List<?> pair && pair.size() == 2)) {
            throw new TemplateException("the separators of 'tojson' are not two texts");
        }
        this.separator = separators == null ? indent == null ? ", " : "," : Values.requireText(((List<?>) separators).get(0));
        this.colon = separators == null ? ": " : Values.requireText(((List<?>) separators).get(1));
        this.sorted = a.flag(3, "sort_keys");
    }

    static String text(Object value, Function.Arguments arguments, Budget budget) throws TemplateException {
        JsonWriting writing = new JsonWriting(arguments, budget);
        writing.value(value, 1);
        return writing.out.toString();
    }

    private void value(Object value, int level) throws TemplateException {
        budget.chars(out.length());
        if (value instanceof String text) {
            quoted(text);
        } else if (value instanceof Markup markup) {
            quoted(markup.text());
        } else if (value instanceof List<?> list) {
            out.append('[');
            boolean first = true;
            for (Object item : list) {
                next(first, level);
                first = false;
                value(item, level + 1);
            }
            close(']', first, level);
        } else if (value instanceof Map<?, ?> map) {
            members(map, level);
        } else if (value == null || value instanceof Boolean || value instanceof Long) {
            out.append(value);
        } else if (value instanceof Double number) {
            out.append(number.isNaN() ? "NaN" : number.isInfinite() ? number > 0 ? "Infinity" : "-Infinity" : Numbers.text(number));
        } else {
            throw new TemplateException("it writes " + Values.kind(value) + " as JSON");
        }
    }

    private void members(Map<?, ?> map, int level) throws TemplateException {
        List<Object> keys = new ArrayList<>(map.keySet());
        if (sorted) {
            keys = SequenceFilters.sorted(keys, Values::compare, false);
        }
        out.append('{');
        boolean first = true;
        for (Object key : keys) {
            next(first, level);
            first = false;
            quoted(key == null ? "null" : key.toString());
            out.append(colon);
            value(map.get(key), level + 1);
        }
        close('}', first, level);
    }

    private void next(boolean first, int level) throws TemplateException {
        if (!first) {
            out.append(separator);
        }
        line(level);
    }

    private void close(char bracket, boolean empty, int level) throws TemplateException {
        if (!empty) {
            line(level - 1);
        }
        out.append(bracket);
    }

    private void line(int level) throws TemplateException {
        if (indent != null) {
            budget.chars(out.length() + (long) level * indent.length());
            out.append('\n').append(indent.repeat(level));
        }
    }

    private void quoted(String text) {
        out.append('"');
        text.chars().forEach(c -> {
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> out.append(c < ' ' || ascii && c > '~' ? String.format(Locale.ROOT, "\\u%04x", c) : Character.toString(c));
            }
        });
        out.append('"');
    }
}
