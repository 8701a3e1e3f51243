package org.potstill.checkpoints.jinja;

import java.math.BigDecimal;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** How values are written: as Python's {@code str} and {@code repr} do, and as its {@code json.dumps} does. */
final class Writing {
    private final StringBuilder out = new StringBuilder();
    private final Budget budget;
    private final boolean json;
    /** Spaces of each level, or −1 for one line. */
    private final int indent;

    private Writing(Budget budget, boolean json, int indent) {
        this.budget = budget;
        this.json = json;
        this.indent = indent;
    }

    static String text(Object value, Budget budget) throws TemplateException {
        if (value instanceof String text) {
            return text;
        }
        return value == Values.UNDEFINED ? "" : write(value, budget, false, -1);
    }

    /** Python's separators; nothing but what JSON itself demands is escaped. */
    static String json(Object value, int indent, Budget budget) throws TemplateException {
        return write(value, budget, true, Math.max(-1, Math.min(indent, 16)));
    }

    private static String write(Object value, Budget budget, boolean json, int indent) throws TemplateException {
        Writing writing = new Writing(budget, json, indent);
        writing.value(value, 1);
        return writing.out.toString();
    }

    private void value(Object value, int level) throws TemplateException {
        budget.chars(out.length());
        if (value instanceof String text) {
            if (json) {
                quoted(text);
            } else {
                repr(text);
            }
        } else if (value instanceof List<?> list) {
            sequence('[', ']', list.iterator(), level);
        } else if (value instanceof Map<?, ?> map) {
            sequence('{', '}', map.entrySet().iterator(), level);
        } else if (value == null) {
            out.append(json ? "null" : "None");
        } else if (value instanceof Boolean flag) {
            out.append(json ? flag.toString() : flag ? "True" : "False");
        } else if (value instanceof Long) {
            out.append(value);
        } else if (value instanceof Double number) {
            out.append(real(number));
        } else {
            throw new TemplateException("it writes " + Values.kind(value));
        }
    }

    private void sequence(char open, char close, Iterator<?> elements, int level) throws TemplateException {
        out.append(open);
        boolean empty = !elements.hasNext();
        while (elements.hasNext()) {
            line(level);
            Object element = elements.next();
            if (element instanceof Map.Entry<?, ?> entry) {
                value(json ? text(entry.getKey(), budget) : entry.getKey(), level + 1);
                out.append(": ");
                value(entry.getValue(), level + 1);
            } else {
                value(element, level + 1);
            }
            if (elements.hasNext()) {
                out.append(indent < 0 ? ", " : ",");
            }
        }
        if (!empty) {
            line(level - 1);
        }
        out.append(close);
    }

    /** The shortest decimal, as Java finds it, in Python's spelling. */
    private static String real(double number) {
        String java = Double.toString(number);
        double size = Math.abs(number);
        if (!Double.isFinite(number)) {
            return Double.isNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
        }
        if (size == 0 || size >= 1e-4 && size < 1e16) {
            String plain = new BigDecimal(java).stripTrailingZeros().toPlainString();
            return plain.contains(".") ? plain : plain + ".0";
        }
        String[] parts = java.replace(".0E", "E").split("E");
        int exponent = Integer.parseInt(parts[1]);
        return parts[0] + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }

    private void line(int level) throws TemplateException {
        if (indent >= 0) {
            budget.chars((long) out.length() + level * indent);
            out.append('\n').append(" ".repeat(level * indent));
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
                default -> out.append(c < ' ' ? String.format("\\u%04x", c) : Character.toString(c));
            }
        });
        out.append('"');
    }

    private void repr(String text) {
        char quote = text.contains("'") && !text.contains("\"") ? '"' : '\'';
        out.append(quote);
        text.chars().forEach(c -> {
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> out.append(c == quote ? "\\" : "")
                        .append(c < ' ' || c == 0x7f ? String.format("\\x%02x", c) : Character.toString(c));
            }
        });
        out.append(quote);
    }
}
