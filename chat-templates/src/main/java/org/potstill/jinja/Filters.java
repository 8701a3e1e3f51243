// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Jinja's filters, the names after a bar. */
final class Filters {
    private static final Map<String, List<String>> SIGNATURES = Function.signatures("trim chars", "string", "safe", "escape", "e",
            "tojson ensure_ascii indent separators sort_keys", "length", "count", "upper", "lower", "capitalize", "title",
            "replace old new count", "indent width first blank", "first", "last", "list", "items", "dictsort case_sensitive by reverse",
            "sort reverse case_sensitive attribute", "unique case_sensitive attribute", "reverse", "join d attribute",
            "default default_value boolean", "d default_value boolean", "int default base", "float default", "abs",
            "round precision method", "min case_sensitive attribute", "max case_sensitive attribute", "sum attribute start",
            "batch linecount fill_with", "groupby attribute default case_sensitive", "attr name", "wordcount",
            "truncate length killwords end leeway");
    /** Filters that check their own arguments. */
    private static final Set<String> OPEN = Set.of("map", "select", "reject", "selectattr", "rejectattr", "format");
    /** Filters that accept text marked safe. The others would have to keep the mark, and are refused. */
    private static final Set<String> FOR_MARKUP = Set.of("string", "safe", "escape", "e", "tojson", "length", "count", "default", "d");

    private Filters() {
    }

    static Object apply(String filter, Object value, Function.Arguments a, Budget budget) throws TemplateException {
        List<String> parameters = SIGNATURES.get(filter);
        if (parameters == null && !OPEN.contains(filter)) {
            throw new TemplateException("the filter '" + filter + "' is not supported");
        }
        if (value instanceof Markup && !FOR_MARKUP.contains(filter)) {
            throw new TemplateException("the filter '" + filter + "' of a text marked safe is not supported");
        }
        if (parameters != null) {
            a.checked(filter, parameters);
        }
        return switch (filter) {
            case "tojson" -> JsonWriting.text(value, a, budget);
            case "length", "count" -> Values.length(value);
            case "default", "d" -> value instanceof Undefined || a.flag(1, "boolean") && !Values.isTrue(value)
                    ? a.get(0, "default_value", "") : value;
            case "first" -> {
                Iterator<Object> items = Values.iterator(value);
                yield items.hasNext() ? items.next() : Undefined.NAMELESS;
            }
            case "last" -> SequenceFilters.last(value);
            case "list" -> new ArrayList<>(Values.items(value));
            case "items" -> items(value);
            case "dictsort" -> SequenceFilters.dictsort(value, a);
            case "sort" -> SequenceFilters.sort(value, a);
            case "unique" -> SequenceFilters.unique(value, a);
            case "reverse" -> SequenceFilters.reverse(value);
            case "join" -> SequenceFilters.join(value, a, budget);
            case "min", "max" -> SequenceFilters.extreme(value, a, filter.equals("max"));
            case "sum" -> SequenceFilters.sum(value, a, budget);
            case "batch" -> SequenceFilters.batch(value, a, budget);
            case "groupby" -> SequenceFilters.groupby(value, a, budget);
            case "map" -> SequenceFilters.map(value, a, budget);
            case "select", "reject" -> SequenceFilters.selected(value, filter.equals("select"), false, a, budget);
            case "selectattr", "rejectattr" -> SequenceFilters.selected(value, filter.equals("selectattr"), true, a, budget);
            case "attr" -> attribute(value, a.text(0, "name"));
            case "int" -> Numbers.integer(value, a);
            case "float" -> Numbers.real(value, a);
            case "round" -> Numbers.round(value, a);
            case "abs" -> Values.compare(value, 0L) < 0 ? Numbers.arithmetic("*", value, -1L) : Numbers.arithmetic("+", value, 0L);
            case "safe" -> value instanceof Markup ? value : new Markup(Writing.text(value, budget));
            case "escape", "e" -> Markup.escaped(value, budget);
            case "string" -> value instanceof Markup ? value : Writing.text(value, budget);
            case "indent" -> indent(Values.requireText(value), a, budget);
            case "truncate" -> truncated(Values.requireText(value), a);
            case "format" -> Formatting.percent(Writing.text(value, budget), formatted(a), budget);
            default -> text(filter, Writing.text(value, budget), a, budget);
        };
    }

    private static Object text(String filter, String text, Function.Arguments a, Budget budget) throws TemplateException {
        return switch (filter) {
            case "trim" -> Texts.strip(text, a.get(0, "chars", null), true, true);
            case "upper" -> Texts.upper(text);
            case "lower" -> Texts.lower(text);
            case "capitalize" -> Texts.capitalize(text);
            case "title" -> Texts.titleOfWords(text);
            case "replace" -> Texts.replace(text, Writing.text(a.required(0, "old"), budget), Writing.text(a.required(1, "new"), budget),
                    a.integer(2, "count", -1), budget);
            default -> words(text);
        };
    }

    private static Object items(Object value) throws TemplateException {
        if (!(value instanceof Map) && !(value instanceof Undefined)) {
            throw new TemplateException("it iterates over the members of " + Values.kind(value));
        }
        return new Generator(value instanceof Map<?, ?> map ? View.members(map).items() : List.of());
    }

    /** Returns a member of the value's type, ignoring a mapping's keys. */
    private static Object attribute(Object value, String name) throws TemplateException {
        return value instanceof Map<?, ?> map && map.containsKey(name) && Methods.attribute(Map.of(), name) instanceof Undefined
                ? new Undefined(name) : Methods.attribute(value, name);
    }

    private static Object formatted(Function.Arguments a) throws TemplateException {
        if (!a.places().isEmpty() && !a.names().isEmpty()) {
            throw new TemplateException("'format' is given both positional and named arguments");
        }
        return a.names().isEmpty() ? new Tuple(a.places()) : a.names();
    }

    private static String indent(String text, Function.Arguments a, Budget budget) throws TemplateException {
        Object width = a.get(0, "width", 4L);
        String prefix = width instanceof String given ? given : Texts.padded("", a.integer(0, "width", 4), ' ', true, false, budget);
        boolean blank = a.flag(2, "blank");
        StringBuilder indented = new StringBuilder(a.flag(1, "first") ? prefix : "");
        List<Object> lines = Texts.lines(text + "\n", false, budget);
        for (int i = 0; i < lines.size(); i++) {
            String line = (String) lines.get(i);
            indented.append(i > 0 ? "\n" : "").append(i > 0 && (blank || !line.isEmpty()) ? prefix : "").append(line);
            budget.chars(indented.length());
        }
        return indented.toString();
    }

    private static long words(String text) {
        long words = 0;
        boolean within = false;
        for (int c : text.codePoints().toArray()) {
            boolean letter = Character.isLetterOrDigit(c) || c == '_' || Character.getType(c) == Character.OTHER_NUMBER
                    || Character.getType(c) == Character.LETTER_NUMBER;
            words += letter && !within ? 1 : 0;
            within = letter;
        }
        return words;
    }

    private static String truncated(String text, Function.Arguments a) throws TemplateException {
        long length = a.integer(0, "length", 255);
        String end = Values.requireText(a.get(2, "end", "..."));
        long leeway = a.integer(3, "leeway", 5);
        long kept = length - Values.length(end);
        if (kept < 0 || leeway < 0) {
            throw new TemplateException("it truncates a text to less than '" + Texts.shortened(end) + "'");
        }
        if (Values.length(text) <= length + leeway) {
            return text;
        }
        String begin = (String) Values.slice(text, null, kept, null);
        int blank = a.flag(1, "killwords") ? -1 : begin.lastIndexOf(' ');
        return (blank < 0 ? begin : begin.substring(0, blank)) + end;
    }
}
