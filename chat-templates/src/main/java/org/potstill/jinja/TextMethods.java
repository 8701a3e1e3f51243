// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.function.Predicate;

/** Methods of Python's strings. */
final class TextMethods {
    private static final Map<String, List<String>> SIGNATURES = Function.signatures("strip chars", "lstrip chars", "rstrip chars", "upper",
            "lower", "capitalize", "title", "startswith prefix start end", "endswith suffix start end", "removeprefix prefix",
            "removesuffix suffix", "find sub start end", "rfind sub start end", "index sub start end", "rindex sub start end",
            "count sub start end", "isdigit", "isdecimal", "isalpha", "isalnum", "isspace", "isascii", "isupper", "islower",
            "replace old new count", "split sep maxsplit", "rsplit sep maxsplit", "splitlines keepends", "join iterable", "partition sep",
            "rpartition sep", "zfill width", "center width fillchar", "ljust width fillchar", "rjust width fillchar");
    private static final Set<String> BY_NAME = Set.of("split", "rsplit", "splitlines", "format");
    private static final Set<String> UNSUPPORTED = Set.of("casefold", "encode", "expandtabs", "format_map", "isidentifier", "isnumeric",
            "isprintable", "istitle", "maketrans", "swapcase", "translate");

    private TextMethods() {
    }

    /** Returns a method of a string; null if Python's strings do not have it. */
    static Function of(String text, String name) throws TemplateException {
        if (name.equals("format")) {
            return (a, budget) -> Formatting.braces(text, a, budget);
        }
        if (UNSUPPORTED.contains(name)) {
            throw new TemplateException("the method '" + name + "' of texts is not supported");
        }
        List<String> parameters = SIGNATURES.get(name);
        return parameters == null ? null : (a, budget) -> {
            if (!a.names().isEmpty() && !BY_NAME.contains(name)) {
                throw new TemplateException("the method '" + name + "' takes no named arguments");
            }
            return call(text, name, a.checked(name, parameters), budget);
        };
    }

    private static Object call(String text, String name, Function.Arguments a, Budget budget) throws TemplateException {
        return switch (name) {
            case "strip" -> Texts.strip(text, a.get(0, "chars", null), true, true);
            case "lstrip" -> Texts.strip(text, a.get(0, "chars", null), true, false);
            case "rstrip" -> Texts.strip(text, a.get(0, "chars", null), false, true);
            case "upper" -> Texts.upper(text);
            case "lower" -> Texts.lower(text);
            case "capitalize" -> Texts.capitalize(text);
            case "title" -> Texts.title(text);
            case "startswith" -> anyOf(a.required(0, "prefix"), part(text, a)::startsWith);
            case "endswith" -> anyOf(a.required(0, "suffix"), part(text, a)::endsWith);
            case "removeprefix" -> text.startsWith(a.text(0, "prefix")) ? text.substring(a.text(0, "prefix").length()) : text;
            case "removesuffix" -> text.endsWith(a.text(0, "suffix")) ? text.substring(0, text.length() - a.text(0, "suffix").length()) : text;
            case "find", "index" -> place(name, text, part(text, a).indexOf(a.text(0, "sub")), a);
            case "rfind", "rindex" -> place(name, text, part(text, a).lastIndexOf(a.text(0, "sub")), a);
            case "count" -> (long) Texts.count(/* text= */ part(text, a), /* part= */ a.text(0, "sub"));
            case "isdecimal" -> all(text, Character::isDigit);
            case "isdigit" -> all(text, Character::isDigit, name);
            case "isalpha" -> all(text, Character::isLetter);
            case "isalnum" -> all(text, Character::isLetterOrDigit, name);
            case "isspace" -> all(text, Texts::isSpace);
            case "isascii" -> text.chars().allMatch(c -> c < 128);
            case "isupper" -> isUpper(text);
            case "islower" -> isLower(text);
            case "replace" -> Texts.replace(text, a.text(0, "old"), a.text(1, "new"), a.integer(2, "count", -1), budget);
            case "split", "rsplit" -> split(text, a, name.equals("rsplit"), budget);
            case "splitlines" -> Texts.lines(text, a.flag(0, "keepends"), budget);
            case "join" -> join(text, Values.items(a.required(0, "iterable")), budget);
            case "partition", "rpartition" -> partition(text, a.text(0, "sep"), name.equals("rpartition"));
            case "zfill" -> zeros(text, a.integer(0, "width", 0), budget);
            default -> Texts.padded(text, a.integer(0, "width", 0), fill(a), !name.equals("ljust"), !name.equals("rjust"), budget);
        };
    }

    static boolean isUpper(String text) {
        return text.codePoints().anyMatch(Character::isUpperCase)
                && text.codePoints().noneMatch(c -> Character.isLowerCase(c) || Character.isTitleCase(c));
    }

    static boolean isLower(String text) {
        return text.codePoints().anyMatch(Character::isLowerCase)
                && text.codePoints().noneMatch(c -> Character.isUpperCase(c) || Character.isTitleCase(c));
    }

    /** Tests all characters; fails for Unicode's other numbers, some of which are digits in Python. */
    private static boolean all(String text, IntPredicate kind, String method) throws TemplateException {
        if (text.codePoints().anyMatch(c -> Character.getType(c) == Character.OTHER_NUMBER || Character.getType(c) == Character.LETTER_NUMBER)) {
            throw new TemplateException("the method '" + method + "' is not supported for the text '" + Texts.shortened(text) + "'");
        }
        return all(text, kind);
    }

    /** Returns the part of a string between the arguments {@code start} and {@code end}. */
    private static String part(String text, Function.Arguments a) throws TemplateException {
        return a.places().size() < 2 ? text : (String) Values.slice(text, a.places().get(1), a.get(2, "end", null), null);
    }

    private static boolean anyOf(Object wanted, Predicate<String> has) throws TemplateException {
        if (wanted instanceof Tuple several) {
            for (Object each : several) {
                if (has.test(Values.requireText(each))) {
                    return true;
                }
            }
            return false;
        }
        return has.test(Values.requireText(wanted));
    }

    /** Converts an index to code points, in which Python counts. */
    private static long place(String method, String text, int index, Function.Arguments a) throws TemplateException {
        if (index < 0 && method.endsWith("index")) {
            throw new TemplateException("the substring is not found");
        }
        long skipped = a.places().size() < 2 ? 0 : Values.length(Values.slice(text, null, a.places().get(1), null));
        return index < 0 ? -1 : part(text, a).codePointCount(0, index) + skipped;
    }

    private static boolean all(String text, IntPredicate kind) {
        return !text.isEmpty() && text.codePoints().allMatch(kind);
    }

    private static List<Object> split(String text, Function.Arguments a, boolean fromRight, Budget budget) throws TemplateException {
        Object separator = a.get(0, "sep", null);
        int max = a.integer(1, "maxsplit", -1);
        return separator == null ? Texts.words(text, max, fromRight, budget)
                : Texts.split(text, Values.requireText(separator), max, fromRight, budget);
    }

    private static String join(String between, List<Object> items, Budget budget) throws TemplateException {
        for (Object item : items) {
            Values.requireText(item);
        }
        return SequenceFilters.join(between, items, budget);
    }

    private static Tuple partition(String text, String separator, boolean last) throws TemplateException {
        if (separator.isEmpty()) {
            throw new TemplateException("it splits at an empty text");
        }
        int at = last ? text.lastIndexOf(separator) : text.indexOf(separator);
        if (at < 0) {
            return last ? Tuple.of("", "", text) : Tuple.of(text, "", "");
        }
        return Tuple.of(text.substring(0, at), separator, text.substring(at + separator.length()));
    }

    private static String zeros(String text, int width, Budget budget) throws TemplateException {
        int sign = text.startsWith("+") || text.startsWith("-") ? 1 : 0;
        return text.substring(0, sign) + Texts.padded(text.substring(sign), width - sign, '0', true, false, budget);
    }

    private static int fill(Function.Arguments a) throws TemplateException {
        String fill = Values.requireText(a.get(1, "fillchar", " "));
        if (fill.codePointCount(0, fill.length()) != 1) {
            throw new TemplateException("it fills with '" + Texts.shortened(fill) + "', which is not one character");
        }
        return fill.codePointAt(0);
    }
}
