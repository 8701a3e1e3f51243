package org.potstill.checkpoints.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;

/** What follows a point: members, and those methods of Python's texts, lists and mappings that change nothing. */
final class Methods {
    private Methods() {
    }

    /** A namespace's members, the one thing that a template may change after it was made. */
    record Namespace(Map<String, Object> members) {
    }

    static Object attribute(Object value, String name) throws TemplateException {
        if (value instanceof Namespace namespace) {
            return namespace.members().getOrDefault(name, Values.UNDEFINED);
        }
        Function method = value instanceof String text ? ofText(text, name)
                : value instanceof Map<?, ?> map ? ofMap(map, name)
                : value instanceof List<?> list ? ofList(list, name) : null;
        return method != null ? method : Values.item(value, name);
    }

    private static Function ofMap(Map<?, ?> map, String name) {
        return switch (name) {
            case "items" -> (a, budget) -> items(map);
            case "keys" -> (a, budget) -> new ArrayList<Object>(map.keySet());
            case "values" -> (a, budget) -> new ArrayList<Object>(map.values());
            case "get" -> (a, budget) -> {
                Object key = Values.key(a.required(0, "key"));
                return map.containsKey(key) ? map.get(key) : a.get(1, "default", null);
            };
            default -> null;
        };
    }

    static List<Object> items(Map<?, ?> map) {
        List<Object> items = new ArrayList<>();
        map.forEach((key, value) -> {
            List<Object> pair = new ArrayList<>();
            pair.add(key);
            pair.add(value);
            items.add(pair);
        });
        return items;
    }

    private static Function ofList(List<?> list, String name) {
        return switch (name) {
            case "index" -> (a, budget) -> {
                for (int i = 0; i < list.size(); i++) {
                    if (Values.equal(list.get(i), a.required(0, "x"), budget)) {
                        return (long) i;
                    }
                }
                throw new TemplateException("a list has no such item");
            };
            default -> null;
        };
    }

    private static Function ofText(String text, String name) {
        return switch (name) {
            case "strip" -> (a, budget) -> strip(text, a.get(0, "chars", null), true, true);
            case "lstrip" -> (a, budget) -> strip(text, a.get(0, "chars", null), true, false);
            case "rstrip" -> (a, budget) -> strip(text, a.get(0, "chars", null), false, true);
            case "upper" -> (a, budget) -> text.toUpperCase(Locale.ROOT);
            case "lower" -> (a, budget) -> text.toLowerCase(Locale.ROOT);
            case "capitalize" -> (a, budget) -> capitalize(text);
            case "title" -> (a, budget) -> title(text);
            case "startswith" -> (a, budget) -> anyOf(a.required(0, "prefix"), text::startsWith);
            case "endswith" -> (a, budget) -> anyOf(a.required(0, "suffix"), text::endsWith);
            case "removeprefix" -> (a, budget) ->
                    text.startsWith(a.text(0, "prefix")) ? text.substring(a.text(0, "prefix").length()) : text;
            case "removesuffix" -> (a, budget) ->
                    text.endsWith(a.text(0, "suffix")) ? text.substring(0, text.length() - a.text(0, "suffix").length()) : text;
            case "find" -> (a, budget) -> place(text, text.indexOf(a.text(0, "sub")));
            case "rfind" -> (a, budget) -> place(text, text.lastIndexOf(a.text(0, "sub")));
            case "count" -> (a, budget) -> (long) count(text, a.text(0, "sub"));
            case "isdigit" -> (a, budget) -> all(text, Character::isDigit);
            case "isalpha" -> (a, budget) -> all(text, Character::isLetter);
            case "replace" -> (a, budget) -> replace(text, a.text(0, "old"), a.text(1, "new"), a.integer(2, "count", -1), budget);
            case "split" -> (a, budget) -> budget.list(split(text, a.get(0, "sep", null), a.integer(1, "maxsplit", -1), false, budget));
            case "rsplit" -> (a, budget) -> budget.list(split(text, a.get(0, "sep", null), a.integer(1, "maxsplit", -1), true, budget));
            case "splitlines" -> (a, budget) -> budget.list(new ArrayList<>(text.lines().toList()));
            case "join" -> (a, budget) -> join(text, Values.items(a.required(0, "iterable")), budget);
            default -> null;
        };
    }

    /** @param chars text, each of whose characters goes; null for white space */
    static String strip(String text, Object chars, boolean left, boolean right) throws TemplateException {
        String gone = chars == null ? null : Values.requireText(chars);
        int begin = 0;
        int end = text.length();
        while (left && begin < end && isGone(text.charAt(begin), gone)) {
            begin++;
        }
        while (right && end > begin && isGone(text.charAt(end - 1), gone)) {
            end--;
        }
        return text.substring(begin, end);
    }

    private static boolean isGone(char c, String gone) {
        return gone == null ? Character.isWhitespace(c) || Character.isSpaceChar(c) : gone.indexOf(c) >= 0;
    }

    static String capitalize(String text) {
        int first = text.isEmpty() ? 0 : text.offsetByCodePoints(0, 1);
        return text.substring(0, first).toUpperCase(Locale.ROOT) + text.substring(first).toLowerCase(Locale.ROOT);
    }

    static String title(String text) {
        StringBuilder title = new StringBuilder();
        boolean within = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            title.append(within ? Character.toLowerCase(c) : Character.toUpperCase(c));
            within = Character.isLetter(c);
        }
        return title.toString();
    }

    private static boolean anyOf(Object wanted, java.util.function.Predicate<String> has) throws TemplateException {
        if (wanted instanceof List<?> several) {
            for (Object each : several) {
                if (has.test(Values.requireText(each))) {
                    return true;
                }
            }
            return false;
        }
        return has.test(Values.requireText(wanted));
    }

    /** In characters as Python counts them. */
    private static long place(String text, int index) {
        return index < 0 ? -1 : text.codePointCount(0, index);
    }

    private static boolean all(String text, IntPredicate kind) {
        return !text.isEmpty() && text.codePoints().allMatch(kind);
    }

    private static int count(String text, String part) {
        if (part.isEmpty()) {
            return text.codePointCount(0, text.length()) + 1;
        }
        int count = 0;
        for (int i = text.indexOf(part); i >= 0; i = text.indexOf(part, i + part.length())) {
            count++;
        }
        return count;
    }

    static String replace(String text, String old, String by, int max, Budget budget) throws TemplateException {
        if (old.isEmpty()) {
            throw new TemplateException("it replaces nothing");
        }
        StringBuilder replaced = new StringBuilder();
        int from = 0;
        for (int i = text.indexOf(old), n = 0; i >= 0 && n != max; i = text.indexOf(old, from), n++) {
            replaced.append(text, from, i).append(by);
            budget.chars(replaced.length());
            from = i + old.length();
        }
        return budget.text(replaced.append(text, from, text.length()).toString());
    }

    private static List<Object> split(String text, Object separator, int max, boolean fromRight, Budget budget) throws TemplateException {
        if (separator == null) {
            if (max >= 0) {
                throw new TemplateException("it splits at white space so many times, which is not supported");
            }
            return new ArrayList<>(List.of(text.strip().split("\\s+")).stream().filter(part -> !part.isEmpty()).toList());
        }
        String at = Values.requireText(separator);
        if (at.isEmpty()) {
            throw new TemplateException("it splits at nothing");
        }
        int cuts = count(text, at);
        budget.items(cuts);
        int skipped = fromRight && max >= 0 ? Math.max(0, cuts - max) : 0;
        List<Object> parts = new ArrayList<>();
        int from = 0;
        int n = 0;
        for (int i = text.indexOf(at); i >= 0 && (fromRight || n != max); i = text.indexOf(at, i + at.length()), n++) {
            if (n >= skipped) {
                parts.add(text.substring(from, i));
                from = i + at.length();
            }
        }
        parts.add(text.substring(from));
        return parts;
    }

    static String join(String between, List<Object> items, Budget budget) throws TemplateException {
        StringBuilder joined = new StringBuilder();
        for (int i = 0; i < items.size(); i++) {
            joined.append(i > 0 ? between : "").append(Writing.text(items.get(i), budget));
            budget.chars(joined.length());
        }
        return joined.toString();
    }
}
