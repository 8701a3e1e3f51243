// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/** Text marked safe: text added to it is escaped for HTML, as in markupsafe. */
record Markup(String text) {
    static Markup escaped(Object value, Budget budget) throws TemplateException {
        if (value instanceof Markup markup) {
            return markup;
        }
        String text = Writing.text(value, budget);
        StringBuilder escaped = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> escaped.append("&amp;");
                case '>' -> escaped.append("&gt;");
                case '<' -> escaped.append("&lt;");
                case '\'' -> escaped.append("&#39;");
                case '"' -> escaped.append("&#34;");
                default -> escaped.append(c);
            }
            budget.chars(escaped.length());
        }
        return new Markup(escaped.toString());
    }

    /** Joins two values; escapes those that are not marked safe. */
    static Markup joined(Object a, Object b, Budget budget) throws TemplateException {
        return new Markup(budget.text(escaped(a, budget).text + escaped(b, budget).text));
    }
}
