package org.potstill.checkpoints.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What follows a bar. */
final class Filters {
    private Filters() {
    }

    static Object apply(String filter, Object value, Function.Arguments a, Budget budget) throws TemplateException {
        return switch (filter) {
            case "trim" -> Methods.strip(Writing.text(value, budget), a.get(0, "chars", null), true, true);
            case "string" -> Writing.text(value, budget);
            // Nothing is escaped, so that nothing has to be called safe.
            case "safe" -> value;
            case "tojson" -> {
                Object indent = a.get(0, "indent", null);
                yield Writing.json(value, indent == null ? -1 : a.integer(0, "indent", 0), budget);
            }
            case "length", "count" -> length(value);
            case "upper" -> Writing.text(value, budget).toUpperCase(Locale.ROOT);
            case "lower" -> Writing.text(value, budget).toLowerCase(Locale.ROOT);
            case "capitalize" -> Methods.capitalize(Writing.text(value, budget));
            case "title" -> Methods.title(Writing.text(value, budget));
            case "replace" -> Methods.replace(Writing.text(value, budget), a.text(0, "old"), a.text(1, "new"),
                    a.integer(2, "count", -1), budget);
            case "indent" -> indent(Writing.text(value, budget), a, budget);
            case "first" -> Values.items(value).isEmpty() ? Values.UNDEFINED : Values.items(value).get(0);
            case "last" -> Values.items(value).isEmpty() ? Values.UNDEFINED : Values.items(value).get(Values.items(value).size() - 1);
            case "list" -> new ArrayList<>(Values.items(value));
            case "items" -> value instanceof Map<?, ?> map ? Methods.items(map) : Values.items(value);
            case "dictsort" -> sorted(filter, value instanceof Map<?, ?> map ? Methods.items(map) : Values.items(value), a);
            case "sort" -> sorted(filter, Values.items(value), a);
            case "unique" -> unique(Values.items(value));
            case "reverse" -> value instanceof String text ? new StringBuilder(text).reverse().toString()
                    : reversed(Values.items(value));
            case "join" -> Methods.join(Writing.text(a.get(0, "d", ""), budget), Values.items(value), budget);
            case "default", "d" -> value == Values.UNDEFINED || Values.isTrue(a.get(1, "boolean", false)) && !Values.isTrue(value)
                    ? a.get(0, "default_value", "") : value;
            case "int" -> integer(value, a.get(0, "default", 0L));
            case "float" -> real(value, a.get(0, "default", 0.0));
            case "abs" -> Values.compare(value, 0L) < 0 ? Values.arithmetic("*", value, -1L) : value;
            case "map" -> map(Values.items(value), a, budget);
            case "select", "reject" -> selected(filter, Values.items(value), null, a, budget);
            case "selectattr", "rejectattr" -> selected(filter, Values.items(value), a.text(0, "attribute"), a.without(1), budget);
            default -> throw new TemplateException("the filter '" + filter + "' is not supported");
        };
    }

    private static long length(Object value) throws TemplateException {
        return value instanceof String text ? text.codePointCount(0, text.length()) : Values.items(value).size();
    }

    private static Object map(List<Object> items, Function.Arguments a, Budget budget) throws TemplateException {
        List<Object> mapped = new ArrayList<>();
        Object attribute = a.names().get("attribute");
        for (Object item : items) {
            budget.step();
            if (attribute == null) {
                mapped.add(apply(a.text(0, "filter"), item, a.without(1), budget));
            } else {
                Object member = Methods.attribute(item, Values.requireText(attribute));
                mapped.add(member == Values.UNDEFINED ? a.names().getOrDefault("default", member) : member);
            }
        }
        return mapped;
    }

    private static List<Object> selected(String filter, List<Object> items, String attribute, Function.Arguments a,
            Budget budget) throws TemplateException {
        List<Object> selected = new ArrayList<>();
        for (Object item : items) {
            Object value = attribute == null ? item : Methods.attribute(item, attribute);
            boolean passes = a.places().isEmpty() ? Values.isTrue(value) : Tests.passes(a.text(0, "test"), value, a.without(1), budget);
            if (passes == filter.startsWith("select")) {
                selected.add(item);
            }
        }
        return selected;
    }

    private static List<Object> unique(List<Object> items) throws TemplateException {
        Set<Object> unique = new LinkedHashSet<>();
        for (Object item : items) {
            unique.add(Values.key(item));
        }
        return new ArrayList<>(unique);
    }

    private static List<Object> sorted(String filter, List<Object> items, Function.Arguments a) throws TemplateException {
        List<Object> sorted = new ArrayList<>(items);
        Object attribute = a.names().get("attribute");
        boolean pairs = filter.equals("dictsort");
        TemplateException[] failed = new TemplateException[1];
        sorted.sort((x, y) -> {
            try {
                Object left = pairs ? Values.item(x, 0L) : attribute == null ? x : Methods.attribute(x, Values.requireText(attribute));
                Object right = pairs ? Values.item(y, 0L) : attribute == null ? y : Methods.attribute(y, Values.requireText(attribute));
                boolean fold = left instanceof String && right instanceof String && !Values.isTrue(a.names().get("case_sensitive"));
                return fold ? ((String) left).toLowerCase(Locale.ROOT).compareTo(((String) right).toLowerCase(Locale.ROOT))
                        : Values.compare(left, right);
            } catch (TemplateException e) {
                failed[0] = e;
                return 0;
            }
        });
        if (failed[0] != null) {
            throw failed[0];
        }
        return Values.isTrue(a.names().get("reverse")) ? reversed(sorted) : sorted;
    }

    private static List<Object> reversed(List<Object> items) {
        List<Object> reversed = new ArrayList<>(items);
        Collections.reverse(reversed);
        return reversed;
    }

    private static String indent(String text, Function.Arguments a, Budget budget) throws TemplateException {
        Object width = a.get(0, "width", 4L);
        String prefix = width instanceof String given ? given : " ".repeat(Math.max(0, Math.min(100, a.integer(0, "width", 4))));
        boolean first = Values.isTrue(a.get(1, "first", false));
        boolean blank = Values.isTrue(a.get(2, "blank", false));
        StringBuilder indented = new StringBuilder();
        String[] lines = text.split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            boolean moved = (i > 0 || first) && (blank || !lines[i].isEmpty());
            indented.append(i > 0 ? "\n" : "").append(moved ? prefix : "").append(lines[i]);
            budget.chars(indented.length());
        }
        return indented.toString();
    }

    private static Object integer(Object value, Object otherwise) {
        if (value instanceof Double real) {
            return real.longValue();
        }
        if (value instanceof Long) {
            return value;
        }
        if (value instanceof Boolean flag) {
            return flag ? 1L : 0L;
        }
        try {
            return Long.valueOf(String.valueOf(value).strip());
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }

    private static Object real(Object value, Object otherwise) {
        if (value instanceof Number number) {
            return number.doubleValue();
        }
        try {
            return Double.valueOf(String.valueOf(value).strip());
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }
}
