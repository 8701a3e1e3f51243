// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's two kinds of string formatting: the operator {@code %} and {@code format}. */
final class Formatting {
    private static final Pattern CONVERSION = Pattern.compile("%(\\(([^)]*)\\))?([-+ 0]*)([0-9]{0,4})(\\.([0-9]{1,3}))?(.)", Pattern.DOTALL);
    private static final Pattern FIELD = Pattern.compile("\\{\\{|\\}\\}|\\{([^{}]*)\\}|[{}]");

    private Formatting() {
    }

    static String percent(String format, Object values, Budget budget) throws TemplateException {
        Iterator<?> places = values instanceof Tuple tuple ? tuple.iterator() : List.of(values == null ? Undefined.NAMELESS : values).iterator();
        Matcher matcher = CONVERSION.matcher(format);
        StringBuilder out = new StringBuilder();
        int from = 0;
        for (int at = format.indexOf('%'); at >= 0; at = format.indexOf('%', from)) {
            if (!matcher.find(at) || matcher.start() != at) {
                throw new TemplateException("the format '" + Texts.shortened(format) + "' is not supported");
            }
            out.append(format, from, at);
            from = matcher.end();
            Object value = null;
            if (!matcher.group(7).equals("%")) {
                String name = matcher.group(2);
                if (name != null && !(values instanceof Map) || name == null && !places.hasNext()) {
                    throw new TemplateException("the format '" + Texts.shortened(format) + "' needs more values than it is given");
                }
                value = name != null ? Methods.item(values, name) : places.next();
                value = value == Undefined.NAMELESS && values == null ? null : value;
            }
            out.append(converted(matcher, value, budget));
            budget.chars(out.length());
        }
        if (places.hasNext() && !(values instanceof Map)) {
            throw new TemplateException("the format '" + Texts.shortened(format) + "' needs fewer values than it is given");
        }
        return budget.text(out.append(format, from, format.length()).toString());
    }

    private static String converted(Matcher conversion, Object value, Budget budget) throws TemplateException {
        String flags = conversion.group(3);
        int width = conversion.group(4).isEmpty() ? 0 : Integer.parseInt(conversion.group(4));
        int precision = conversion.group(6) == null ? -1 : Integer.parseInt(conversion.group(6));
        String kind = conversion.group(7);
        boolean number = "diuf".contains(kind);
        String text = switch (kind) {
            case "%" -> "%";
            case "s" -> Writing.text(value, budget);
            case "r" -> Writing.representation(value, budget);
            case "d", "i", "u" -> value instanceof Double real ? new BigDecimal(real).setScale(0, RoundingMode.DOWN).toPlainString()
                    : Long.toString(Values.requireInteger(value));
            case "f" -> fixed(value, precision < 0 ? 6 : precision);
            default -> throw new TemplateException("the conversion %" + kind + " is not supported");
        };
        if (kind.equals("%") && (!flags.isEmpty() || width > 0 || precision >= 0) || precision >= 0 && number && !kind.equals("f")) {
            throw new TemplateException("the conversion " + conversion.group() + " is not supported");
        }
        if (precision >= 0 && !number) {
            text = (String) Values.slice(text, null, (long) precision, null);
        }
        boolean negative = number && text.startsWith("-");
        String sign = !number ? "" : negative ? "-" : flags.contains("+") ? "+" : flags.contains(" ") ? " " : "";
        String digits = negative ? text.substring(1) : text;
        if (number && flags.contains("0") && !flags.contains("-")) {
            return sign + Texts.padded(digits, width - sign.length(), '0', true, false, budget);
        }
        return Texts.padded(sign + digits, width, ' ', !flags.contains("-"), false, budget);
    }

    private static String fixed(Object value, int places) throws TemplateException {
        if (!Values.isNumber(value)) {
            throw new TemplateException(Values.kind(value) + " is used where a number is required");
        }
        double number = Values.real(value);
        String text = new BigDecimal(Math.abs(number)).setScale(places, RoundingMode.HALF_EVEN).toPlainString();
        return (Math.copySign(1, number) < 0 ? "-" : "") + text;
    }

    static String braces(String format, Function.Arguments arguments, Budget budget) throws TemplateException {
        Matcher matcher = FIELD.matcher(format);
        StringBuilder out = new StringBuilder();
        int from = 0;
        int next = 0;
        boolean numbered = false;
        while (matcher.find()) {
            out.append(format, from, matcher.start());
            from = matcher.end();
            String field = matcher.group(1);
            if (field == null) {
                if (matcher.group().length() == 1) {
                    throw new TemplateException("the format '" + Texts.shortened(format) + "' has a single brace");
                }
                out.append(matcher.group().charAt(0));
                continue;
            }
            if (!field.matches("[0-9]{0,4}|[A-Za-z_][A-Za-z0-9_]*")) {
                throw new TemplateException("the format field {" + Texts.shortened(field) + "} is not supported");
            }
            boolean place = field.isEmpty() || Character.isDigit(field.charAt(0));
            if (place && numbered == field.isEmpty() && (numbered || next > 0)) {
                throw new TemplateException("the format '" + Texts.shortened(format) + "' numbers only some of its fields");
            }
            numbered |= place && !field.isEmpty();
            int index = !place ? -1 : field.isEmpty() ? next++ : Integer.parseInt(field);
            if (place ? index >= arguments.places().size() : !arguments.names().containsKey(field)) {
                throw new TemplateException("the format '" + Texts.shortened(format) + "' needs more values than it is given");
            }
            Object value = place ? arguments.places().get(index) : arguments.names().get(field);
            out.append(Writing.text(value, budget));
            budget.chars(out.length());
        }
        return budget.text(out.append(format, from, format.length()).toString());
    }
}
