// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigUtil;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.potstill.errors.UserException;

/**
 * A scanner of HOCON text for what the parser silently reads differently than written: a comment that swallows the rest of a
 * value ({@code /data//c4}), quotes around part of a value, and a value that a later key replaces with a section.
 *
 * <p>Leaves all other errors to the parser.
 */
final class SettingsText {
    private static final int MAX_FINDINGS = 16;
    /** Levels of keys and brackets; HOCON's parser would overflow the stack with some thousand. */
    static final int MAX_DEPTH = 32;
    private static final String QUOTE_IT = "put the whole value in double quotes";

    private final String text;
    private final String origin;
    private final List<UserException> findings = new ArrayList<>();
    /** Lines of plain values, by key. */
    private final NavigableMap<String, Integer> values = new TreeMap<>();
    private int at;
    private int line = 1;
    private int depth;

    private SettingsText(String text, String origin) {
        this.text = text;
        this.origin = origin;
    }

    /** @return the findings, in the order of the text */
    static List<UserException> findings(String text, String origin) {
        SettingsText scan = new SettingsText(text, origin);
        scan.skipToField();
        if (scan.peek() == '{') {
            scan.at++;
        }
        scan.fields(List.of());
        scan.findReplaced();
        return scan.findings;
    }

    private char peek() {
        return at < text.length() ? text.charAt(at) : 0;
    }

    private boolean isComment() {
        return text.startsWith("#", at) || text.startsWith("//", at);
    }

    private void skipComment() {
        while (at < text.length() && peek() != '\n') {
            at++;
        }
    }

    private void skipBlanks() {
        while (at < text.length() && Character.isWhitespace(peek()) && peek() != '\n') {
            refuseInvisible();
            at++;
        }
    }

    private void skipToField() {
        for (; at < text.length(); at++) {
            if (isComment()) {
                if (at > 0 && text.charAt(at - 1) == ',') {
                    refuse("a comment starts directly after a comma");
                }
                skipComment();
            }
            char c = peek();
            if (c == '\n') {
                line++;
            } else if (c != ',' && !Character.isWhitespace(c)) {
                return;
            } else {
                refuseInvisible();
            }
        }
    }

    /** Up to the end of the object that they are in. */
    private void fields(List<String> above) {
        for (skipToField(); at < text.length(); skipToField()) {
            if (peek() == '}') {
                at++;
                return;
            }
            int begin = at;
            int first = line;
            key();
            String key = text.substring(begin, at).strip();
            if (above.size() + levels(key) > MAX_DEPTH) {
                find(first, "a key has more than " + MAX_DEPTH + " levels", "correct the key; put a name that contains dots in double quotes");
                at = text.length();
                return;
            }
            List<String> path = path(above, key);
            at += peek() == '+' ? 1 : 0;
            boolean assigned = peek() == '=' || peek() == ':';
            at += assigned ? 1 : 0;
            if ((assigned || peek() == '{') && value(path, assigned)) {
                values.put(ConfigUtil.joinPath(path), first);
            }
        }
    }

    /** Moves to what ends a key. A line break does where the text is no HOCON. */
    private void key() {
        while (at < text.length() && "=:{}\n,".indexOf(peek()) < 0 && !text.startsWith("+=", at)) {
            refuseInvisible();
            if (peek() == '"') {
                quoted();
            } else {
                at++;
            }
        }
    }

    /** Counts the levels of a key: dots outside quotes separate them. */
    static int levels(String key) {
        int levels = 1;
        boolean quoted = false;
        for (int i = 0; i < key.length(); i++) {
            char c = key.charAt(i);
            i += quoted && c == '\\' ? 1 : 0;
            quoted ^= c == '"';
            levels += !quoted && c == '.' ? 1 : 0;
        }
        return levels;
    }

    private static List<String> path(List<String> above, String key) {
        List<String> path = new ArrayList<>(above);
        try {
            path.addAll(ConfigUtil.splitPath(key));
        } catch (ConfigException e) {
            path.add(key);
        }
        return path;
    }

    /**
     * @param path     of the setting
     * @param assigned whether a sign stands before it
     * @return whether it is a plain value: neither object nor list nor the value of another setting alone
     */
    private boolean value(List<String> path, boolean assigned) {
        Parts parts = new Parts();
        skipBlanks();
        // The value may stand on a later line.
        while (at < text.length() && (Character.isWhitespace(peek()) || isComment())) {
            if (isComment() && assigned) {
                refuse("a comment starts where a value is expected");
            }
            if (isComment()) {
                skipComment();
            } else {
                line += peek() == '\n' ? 1 : 0;
                at++;
            }
        }
        for (boolean blank = false; at < text.length();) {
            char c = peek();
            if (c == '\n' || c == ',' || c == '}' || c == ']') {
                break;
            }
            if (isComment()) {
                if (!blank && parts.isText()) {
                    refuse("a comment starts inside a value");
                }
                skipComment();
                break;
            }
            blank = Character.isWhitespace(c);
            part(c, path, parts);
        }
        if (parts.quoted > 0 && (parts.plain || parts.quoted > 1)) {
            refuse("only part of a value is in quotes");
        }
        if (parts.optional && (parts.plain || parts.quoted > 0 || parts.references > 1)) {
            refuse("part of a value is an optional reference");
        }
        return !parts.structure && (parts.plain || parts.quoted > 0);
    }

    private void part(char c, List<String> path, Parts parts) {
        if (c == '{' || c == '[') {
            at++;
            parts.structure = true;
            nested(c, path);
        } else if (c == '"') {
            parts.quoted++;
            quoted();
        } else if (text.startsWith("${", at)) {
            parts.references++;
            parts.optional |= text.startsWith("${?", at);
            int begin = at;
            while (at < text.length() && peek() != '}' && peek() != '\n') {
                at++;
            }
            if (levels(text.substring(begin, at)) > MAX_DEPTH) {
                find(line, "a reference has more than " + MAX_DEPTH + " levels", "correct the reference");
            }
            at += peek() == '}' ? 1 : 0;
        } else {
            refuseInvisible();
            parts.plain |= !Character.isWhitespace(c);
            at++;
        }
    }

    private void nested(char bracket, List<String> path) {
        if (++depth > MAX_DEPTH) {
            find(line, "there are more than " + MAX_DEPTH + " levels of brackets", QUOTE_IT);
            at = text.length();
        }
        if (bracket == '{') {
            fields(path);
        } else {
            list(path);
        }
        depth--;
    }

    private void list(List<String> path) {
        for (skipToField(); at < text.length(); skipToField()) {
            if (peek() == ']') {
                at++;
                return;
            }
            int begin = at;
            value(path, false);
            // What ends no list's value would be met for ever.
            at += at == begin ? 1 : 0;
        }
    }

    /** Moves behind a string in quotes, or in three of them, of which more may end it. */
    private void quoted() {
        if (text.startsWith("\"\"\"", at)) {
            int end = text.indexOf("\"\"\"", at + 3);
            end = end < 0 ? text.length() : end + 3;
            while (end < text.length() && text.charAt(end) == '"') {
                end++;
            }
            line += (int) text.substring(at, end).chars().filter(c -> c == '\n').count();
            at = end;
            return;
        }
        for (at++; at < text.length() && peek() != '\n'; at++) {
            if (peek() == '\\' && at + 1 < text.length()) {
                at++;
            } else if (peek() == '"') {
                at++;
                return;
            }
        }
    }

    private void findReplaced() {
        values.forEach((key, lineOfKey) -> {
            Map.Entry<String, Integer> below = values.ceilingEntry(key + ".");
            if (below != null && below.getKey().startsWith(key + ".")) {
                List<String> path = ConfigUtil.splitPath(below.getKey());
                find(lineOfKey, key + " and line " + below.getValue() + "'s " + below.getKey() + " exclude each other in HOCON",
                        "write the second as " + path.get(0) + ".\"" + String.join(".", path.subList(1, path.size())) + "\"");
            }
        });
    }

    private void find(int lineOf, String why, String remedy) {
        if (findings.size() < MAX_FINDINGS) {
            findings.add(SettingsErrors.misreadSetting(origin, lineOf, why, remedy));
        }
    }

    private void refuse(String why) {
        find(line, why, QUOTE_IT);
    }

    /** Blanks other than these look like nothing or like another, and HOCON drops them at a value's ends. */
    private void refuseInvisible() {
        char c = peek();
        boolean blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (!blank && (Character.isWhitespace(c) || Character.isSpaceChar(c) || Character.isISOControl(c) || c == '\uFEFF')) {
            find(line, String.format(Locale.ROOT, "there is an invisible character (U+%04X)", (int) c), "delete it, or " + QUOTE_IT);
        }
    }

    /** What a value is made of. */
    private static final class Parts {
        private int quoted;
        private int references;
        private boolean plain;
        private boolean optional;
        private boolean structure;

        boolean isText() {
            return quoted > 0 || references > 0 || plain;
        }
    }
}
