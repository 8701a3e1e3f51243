// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Conversion of values to text, as by Python's {@code str} and {@code repr}. */
final class Writing {
    private final StringBuilder out = new StringBuilder();
    private final Budget budget;

    private Writing(Budget budget) {
        this.budget = budget;
    }

    static String text(Object value, Budget budget) throws TemplateException {
        if (value instanceof String text) {
            return text;
        }
        if (value instanceof Markup markup) {
            return markup.text();
        }
        return value instanceof Undefined ? "" : representation(value, budget);
    }

    /** Returns a value's {@code repr}. */
    static String representation(Object value, Budget budget) throws TemplateException {
        Writing writing = new Writing(budget);
        writing.value(value);
        return writing.out.toString();
    }

    private void value(Object value) throws TemplateException {
        budget.chars(out.length());
        if (value instanceof String text) {
            quoted(text);
        } else if (value instanceof Tuple tuple) {
            sequence('(', tuple.size() == 1 ? ",)" : ")", tuple.iterator());
        } else if (value instanceof List<?> list) {
            sequence('[', "]", list.iterator());
        } else if (value instanceof Map<?, ?> map) {
            sequence('{', "}", map.entrySet().iterator());
        } else if (value instanceof View view && view.range()) {
            out.append(view.name());
        } else if (value instanceof View view) {
            out.append(view.name()).append('(');
            sequence('[', "])", view.items().iterator());
        } else if (value == null) {
            out.append("None");
        } else if (value instanceof Boolean flag) {
            out.append(flag ? "True" : "False");
        } else if (value instanceof Long) {
            out.append(value);
        } else if (value instanceof Double number) {
            out.append(Numbers.text(number));
        } else if (value instanceof Undefined) {
            out.append("Undefined");
        } else {
            throw new TemplateException("it writes " + Values.kind(value));
        }
    }

    private void sequence(char open, String close, Iterator<?> elements) throws TemplateException {
        out.append(open);
        while (elements.hasNext()) {
            Object element = elements.next();
            if (element instanceof Map.Entry<?, ?> entry) {
                value(entry.getKey());
                out.append(": ");
                value(entry.getValue());
            } else {
                value(element);
            }
            if (elements.hasNext()) {
                out.append(", ");
            }
        }
        out.append(close);
    }

    private void quoted(String text) throws TemplateException {
        char quote = text.contains("'") && !text.contains("\"") ? '"' : '\'';
        out.append(quote);
        for (int i = 0; i < text.length(); i = text.offsetByCodePoints(i, 1)) {
            int c = text.codePointAt(i);
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == quote) {
                        out.append('\\').appendCodePoint(c);
                    } else if (isPrintable(c)) {
                        out.appendCodePoint(c);
                    } else {
                        out.append(String.format(Locale.ROOT, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c));
                    }
                }
            }
        }
        out.append(quote);
    }

    private static boolean isPrintable(int c) throws TemplateException {
        switch (Character.getType(c)) {
            case Character.UNASSIGNED:
                // Python's version of Unicode may be newer.
                throw new TemplateException(String.format(Locale.ROOT, "it quotes the character U+%04X, which is not known here", c));
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR:
                return false;
            case Character.SPACE_SEPARATOR:
                return c == ' ';
            default:
                return true;
        }
    }
}
