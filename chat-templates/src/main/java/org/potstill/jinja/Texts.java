// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** Python's string operations, by code point. */
final class Texts {
    private static final int SHOWN = 60;

    private Texts() {
    }

    /** Shortens a text for a message. */
    static String shortened(String text) {
        return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "...";
    }

    /** Returns whether a character is white space in Python. */
    static boolean isSpace(int c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
    }

    static boolean isBlank(String text) {
        return text.chars().allMatch(Texts::isSpace);
    }

    static boolean isCased(int c) {
        return Character.isLowerCase(c) || Character.isUpperCase(c) || Character.isTitleCase(c);
    }

    /** Compares by code points, as Python does. */
    static int compare(String a, String b) {
        for (int i = 0; i < Math.min(a.length(), b.length()); i++) {
            if (a.charAt(i) != b.charAt(i)) {
                boolean halves = Character.isSurrogate(a.charAt(i)) || Character.isSurrogate(b.charAt(i));
                int x = halves && Character.isSurrogate(a.charAt(i)) ? 0x10000 + a.charAt(i) : a.charAt(i);
                int y = halves && Character.isSurrogate(b.charAt(i)) ? 0x10000 + b.charAt(i) : b.charAt(i);
                return Integer.compare(x, y);
            }
        }
        return Integer.compare(a.length(), b.length());
    }

    /**
     * Strips characters.
     *
     * @param chars characters to strip; null for white space
     */
    static String strip(String text, Object chars, boolean left, boolean right) throws TemplateException {
        String gone = chars == null ? null : Values.requireText(chars);
        int begin = 0;
        int end = text.length();
        while (left && begin < end && isGone(text.codePointAt(begin), gone)) {
            begin += Character.charCount(text.codePointAt(begin));
        }
        while (right && end > begin && isGone(text.codePointBefore(end), gone)) {
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(begin, end);
    }

    static String stripEnd(String text) {
        int end = text.length();
        while (end > 0 && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(0, end);
    }

    private static boolean isGone(int c, String gone) {
        return gone == null ? isSpace(c) : gone.indexOf(c) >= 0;
    }

    static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }

    static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    /** Capitalizes a letter; fails for the few letters whose capital is two letters, which Python treats specially. */
    private static String titled(String character) throws TemplateException {
        String upper = upper(character);
        if (upper.codePointCount(0, upper.length()) > 1) {
            throw new TemplateException("the letter " + character + " as a capital is not supported");
        }
        return character.isEmpty() ? "" : Character.toString(Character.toTitleCase(character.codePointAt(0)));
    }

    static String capitalize(String text) throws TemplateException {
        int first = text.isEmpty() ? 0 : text.offsetByCodePoints(0, 1);
        return titled(text.substring(0, first)) + lower(text.substring(first));
    }

    /** Applies Python's {@code title}: capitalizes every letter that does not follow a letter. */
    static String title(String text) throws TemplateException {
        StringBuilder title = new StringBuilder();
        boolean within = false;
        for (int i = 0; i < text.length(); i = text.offsetByCodePoints(i, 1)) {
            int c = text.codePointAt(i);
            title.append(within ? lower(Character.toString(c)) : titled(Character.toString(c)));
            within = isCased(c);
        }
        return title.toString();
    }

    /** Applies Jinja's {@code title}: capitalizes letters after white space, hyphens and opening brackets. */
    static String titleOfWords(String text) {
        StringBuilder title = new StringBuilder();
        int begin = 0;
        for (int i = 0; i <= text.length(); i++) {
            boolean between = i < text.length() && (isSpace(text.charAt(i)) || "-({[<".indexOf(text.charAt(i)) >= 0);
            if (i < text.length() && !between) {
                continue;
            }
            if (i > begin) {
                int second = text.offsetByCodePoints(begin, 1);
                title.append(upper(text.substring(begin, second))).append(lower(text.substring(second, i)));
            }
            if (between) {
                title.append(text.charAt(i));
            }
            begin = i + 1;
        }
        return title.toString();
    }

    static int count(String text, String part) {
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
            throw new TemplateException("it replaces an empty text, which is not supported");
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

    /** Splits at a separator, at most {@code max} times; without limit if negative. */
    static List<Object> split(String text, String separator, int max, boolean fromRight, Budget budget) throws TemplateException {
        if (separator.isEmpty()) {
            throw new TemplateException("it splits at an empty text");
        }
        int cuts = count(text, separator);
        budget.items(cuts);
        List<Object> parts = new ArrayList<>();
        if (fromRight) {
            int to = text.length();
            for (int n = 0; n != max && text.lastIndexOf(separator, to - separator.length()) >= 0 && to >= separator.length(); n++) {
                int i = text.lastIndexOf(separator, to - separator.length());
                parts.add(text.substring(i + separator.length(), to));
                to = i;
            }
            parts.add(text.substring(0, to));
            Collections.reverse(parts);
            return parts;
        }
        int from = 0;
        for (int i = text.indexOf(separator), n = 0; i >= 0 && n != max; i = text.indexOf(separator, from), n++) {
            parts.add(text.substring(from, i));
            from = i + separator.length();
        }
        parts.add(text.substring(from));
        return parts;
    }

    /** Splits at white space, which is dropped except in a part beyond the limit. */
    static List<Object> words(String text, int max, boolean fromRight, Budget budget) throws TemplateException {
        List<int[]> words = new ArrayList<>();
        for (int i = 0; i < text.length();) {
            int begin = i;
            while (i < text.length() && isSpace(text.charAt(i)) == isSpace(text.charAt(begin))) {
                i++;
            }
            if (!isSpace(text.charAt(begin))) {
                words.add(new int[] {begin, i});
                budget.items(words.size());
            }
        }
        List<Object> parts = new ArrayList<>();
        int whole = max < 0 ? words.size() : Math.min(max, words.size());
        int first = fromRight ? words.size() - whole : 0;
        if (fromRight && first > 0) {
            parts.add(text.substring(0, words.get(first - 1)[1]));
        }
        for (int i = first; i < first + whole; i++) {
            parts.add(text.substring(words.get(i)[0], words.get(i)[1]));
        }
        if (!fromRight && whole < words.size()) {
            parts.add(text.substring(words.get(whole)[0]));
        }
        return parts;
    }

    /** Splits at Python's eleven line breaks. */
    static List<Object> lines(String text, boolean keepEnds, Budget budget) throws TemplateException {
        List<Object> lines = new ArrayList<>();
        int begin = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= '\n' && c <= '\r' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029) {
                int end = i;
                i += c == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n' ? 1 : 0;
                lines.add(text.substring(begin, keepEnds ? i + 1 : end));
                budget.items(lines.size());
                begin = i + 1;
            }
        }
        if (begin < text.length()) {
            lines.add(text.substring(begin));
        }
        return lines;
    }

    static String padded(String text, int width, int fill, boolean left, boolean right, Budget budget) throws TemplateException {
        int missing = Math.max(0, width - text.codePointCount(0, text.length()));
        budget.chars((long) missing + text.length());
        // Python's rule for an odd number of missing characters.
        int before = left && right ? missing / 2 + (missing & width & 1) : left ? missing : 0;
        return Character.toString(fill).repeat(before) + text + Character.toString(fill).repeat(missing - before);
    }
}
