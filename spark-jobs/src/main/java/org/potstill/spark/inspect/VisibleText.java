// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.Locale;

/** Escaping of untrusted text for a terminal and for one line of a table. */
public final class VisibleText {
    private static final String CUT = "..";

    private VisibleText() {
    }

    /**
     * Escapes invisible characters: {@code \n}, {@code \t}, {@code \}{@code u001b}, and everything else that moves the cursor, changes
     * the writing direction or has no width. Backslashes are doubled.
     *
     * @param longest maximum number of characters; a longer result is truncated and ends in two dots
     */
    public static String of(String text, int longest) {
        StringBuilder out = new StringBuilder();
        int fits = 0;
        for (int i = 0; i < text.length() && out.length() <= longest;) {
            int c = text.codePointAt(i);
            out.append(visible(c));
            i += Character.charCount(c);
            fits = out.length() <= longest - CUT.length() ? out.length() : fits;
        }
        return out.length() <= longest ? out.toString() : out.substring(0, fits) + CUT;
    }

    private static String visible(int c) {
        return switch (c) {
            case '\n' -> "\\n";
            case '\r' -> "\\r";
            case '\t' -> "\\t";
            case '\\' -> "\\\\";
            case ' ' -> " ";
            default -> switch (Character.getType(c)) {
                case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED,
                        Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR, Character.SPACE_SEPARATOR ->
                        String.format(Locale.ROOT, "\\u%04x", c);
                default -> Character.toString(c);
            };
        };
    }
}
