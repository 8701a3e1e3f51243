// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

/** Python's escape sequences in string literals. */
final class Escapes {
    private static final String LETTERS = "abfnrtv\\'\"";
    private static final String MEANT = "\u0007\b\f\n\r\t\u000b\\'\"";

    private Escapes() {
    }

    static String resolved(String text) throws TemplateException {
        StringBuilder resolved = new StringBuilder();
        int at = 0;
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c != '\\' || at == text.length()) {
                resolved.append(c);
                continue;
            }
            char escaped = text.charAt(at++);
            int letter = LETTERS.indexOf(escaped);
            int digits = escaped == 'x' ? 2 : escaped == 'u' ? 4 : escaped == 'U' ? 8 : 0;
            if (letter >= 0) {
                resolved.append(MEANT.charAt(letter));
            } else if (digits > 0) {
                resolved.appendCodePoint(hex(text, at, digits));
                at += digits;
            } else if (escaped >= '0' && escaped <= '7') {
                int code = escaped - '0';
                for (int n = 1; n < 3 && at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '7'; n++) {
                    code = code * 8 + text.charAt(at++) - '0';
                }
                resolved.append((char) code);
            } else if (escaped == 'N') {
                throw new TemplateException("the escape \\N is not supported");
            } else if (escaped != '\n') {
                resolved.append('\\').append(escaped);
            }
        }
        return resolved.toString();
    }

    private static int hex(String text, int at, int digits) throws TemplateException {
        String code = text.substring(at, Math.min(text.length(), at + digits));
        if (!code.matches("[0-9a-fA-F]{" + digits + "}") || !Character.isValidCodePoint((int) Long.parseLong(code, 16))) {
            throw new TemplateException("\\" + text.charAt(at - 1) + code + " is not a character");
        }
        return (int) Long.parseLong(code, 16);
    }
}
