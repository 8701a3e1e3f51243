// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatterBuilder;
import java.util.Locale;

/** Python's {@code strftime}, in English and without a time zone. */
final class Times {
    private Times() {
    }

    static String text(String format, LocalDateTime time) throws TemplateException {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            boolean unpadded = i + 1 < format.length() && format.charAt(i + 1) == '-';
            i += unpadded ? 2 : 1;
            if (i >= format.length()) {
                throw new TemplateException("the time's format ends in %");
            }
            String part = part(format.charAt(i), time);
            boolean number = "dmyHIMSje".indexOf(format.charAt(i)) >= 0;
            if (unpadded && !number) {
                throw new TemplateException("the time's %-" + format.charAt(i) + " is not supported");
            }
            out.append(unpadded ? part.strip().replaceFirst("^0+(?=.)", "") : part);
        }
        return out.toString();
    }

    private static String part(char letter, LocalDateTime time) throws TemplateException {
        return switch (letter) {
            case 'd' -> pattern("dd", time);
            case 'e' -> String.format(Locale.ROOT, "%2d", time.getDayOfMonth());
            case 'm' -> pattern("MM", time);
            case 'Y' -> Integer.toString(time.getYear());
            case 'y' -> pattern("yy", time);
            case 'b', 'h' -> pattern("MMM", time);
            case 'B' -> pattern("MMMM", time);
            case 'a' -> pattern("EEE", time);
            case 'A' -> pattern("EEEE", time);
            case 'u' -> Integer.toString(time.getDayOfWeek().getValue());
            case 'w' -> Integer.toString(time.getDayOfWeek().getValue() % 7);
            case 'H' -> pattern("HH", time);
            case 'I' -> pattern("hh", time);
            case 'M' -> pattern("mm", time);
            case 'S' -> pattern("ss", time);
            case 'p' -> pattern("a", time);
            case 'j' -> pattern("DDD", time);
            case 'F' -> time.getYear() + pattern("-MM-dd", time);
            case 'D', 'x' -> pattern("MM/dd/yy", time);
            case 'T', 'X' -> pattern("HH:mm:ss", time);
            case 'R' -> pattern("HH:mm", time);
            case 'c' -> pattern("EEE MMM ", time) + part('e', time) + pattern(" HH:mm:ss ", time) + time.getYear();
            case 'z', 'Z' -> "";
            case 'n' -> "\n";
            case 't' -> "\t";
            case '%' -> "%";
            default -> throw new TemplateException("the time's %" + letter + " is not supported");
        };
    }

    private static String pattern(String pattern, LocalDateTime time) {
        return new DateTimeFormatterBuilder().appendPattern(pattern).toFormatter(Locale.ENGLISH).format(time);
    }
}
