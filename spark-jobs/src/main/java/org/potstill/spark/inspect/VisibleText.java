package org.potstill.spark.inspect;

import java.util.Locale;

/** Text that nobody vouches for, made fit for a terminal and for one line of a table. */
public final class VisibleText {
    private static final String CUT = "..";

    private VisibleText() {
    }

    /**
     * The text with what cannot be seen spelled out: {@code \n}, {@code \t}, {@code \}{@code u001b}, and so for everything that moves
     * the cursor, turns the direction of writing or has no width of its own. A backslash is doubled.
     *
     * @param longest characters of the result; a longer one is cut and ends in two points
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
