// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Python's arithmetic on integers of up to 64 bits and on floats. */
final class Numbers {
    private static final Pattern INTEGER = Pattern.compile("[+-]?[0-9]+(_[0-9]+)*");
    private static final Pattern REAL = Pattern.compile("[+-]?([0-9]+(_[0-9]+)*\\.?([0-9]+(_[0-9]+)*)?|\\.[0-9]+(_[0-9]+)*)([eE][+-]?[0-9]{1,9})?");
    private static final int MAX_PLACES = 300;

    private Numbers() {
    }

    static Object add(Object a, Object b, Budget budget) throws TemplateException {
        if (a instanceof String x && b instanceof String y) {
            budget.chars((long) x.length() + y.length());
            return x + y;
        }
        boolean texts = (a instanceof Markup || a instanceof String) && (b instanceof Markup || b instanceof String);
        if (texts) {
            return Markup.joined(a, b, budget);
        }
        if (a instanceof List<?> x && b instanceof List<?> y && a instanceof Tuple == b instanceof Tuple) {
            budget.items((long) x.size() + y.size());
            List<Object> both = new ArrayList<>(x);
            both.addAll(y);
            return a instanceof Tuple ? new Tuple(both) : both;
        }
        return arithmetic("+", a, b);
    }

    static Object multiply(Object a, Object b, Budget budget) throws TemplateException {
        Object repeated = a instanceof String || a instanceof List ? a : b;
        Object count = repeated == a ? b : a;
        if (!(count instanceof Long || count instanceof Boolean) || !(repeated instanceof String || repeated instanceof List)) {
            return arithmetic("*", a, b);
        }
        long times = Math.max(0, Values.requireInteger(count));
        if (repeated instanceof String text) {
            budget.chars(Math.max(times, Math.min(times, Budget.MAX_CHARS + 1L) * text.length()));
            return text.repeat((int) times);
        }
        List<?> list = (List<?>) repeated;
        budget.items(Math.max(times, Math.min(times, Budget.MAX_ITEMS + 1L) * list.size()));
        List<Object> all = new ArrayList<>();
        for (long i = 0; i < times; i++) {
            all.addAll(list);
        }
        return list instanceof Tuple ? new Tuple(all) : all;
    }

    static Object arithmetic(String operator, Object a, Object b) throws TemplateException {
        if (!Values.isNumber(a) || !Values.isNumber(b)) {
            throw new TemplateException("it computes " + Values.kind(a) + " " + operator + " " + Values.kind(b));
        }
        try {
            if (operator.equals("/") || a instanceof Double || b instanceof Double) {
                return real(operator, Values.real(a), Values.real(b));
            }
            long x = Values.requireInteger(a);
            long y = Values.requireInteger(b);
            return switch (operator) {
                case "+" -> Math.addExact(x, y);
                case "-" -> Math.subtractExact(x, y);
                case "*" -> Math.multiplyExact(x, y);
                case "//" -> Math.floorDiv(x, y);
                case "**" -> power(x, y);
                default -> Math.floorMod(x, y);
            };
        } catch (ArithmeticException e) {
            throw new TemplateException("it computes " + a + " " + operator + " " + b + ", which is out of range");
        }
    }

    private static Object real(String operator, double x, double y) {
        if (y == 0 && (operator.startsWith("/") || operator.equals("%"))) {
            throw new ArithmeticException();
        }
        double value = switch (operator) {
            case "+" -> x + y;
            case "-" -> x - y;
            case "*" -> x * y;
            case "/" -> x / y;
            case "//" -> quotient(x, y);
            case "**" -> Math.pow(x, y);
            default -> remainder(x, y);
        };
        if (!Double.isFinite(value)) {
            throw new ArithmeticException();
        }
        return value;
    }

    private static double quotient(double x, double y) {
        double quotient = Math.rint((x - remainder(x, y)) / y);
        return quotient == 0 ? Math.copySign(0, x / y) : quotient;
    }

    /** Returns the remainder with the divisor's sign, as in Python. */
    private static double remainder(double x, double y) {
        double remainder = x % y;
        return remainder == 0 ? Math.copySign(0, y) : remainder < 0 != y < 0 ? remainder + y : remainder;
    }

    private static Object power(long x, long y) {
        if (y < 0) {
            return real("**", (double) x, (double) y);
        }
        long power = 1;
        for (long i = 0; i < y && power != 0 && (x != 1 || i < 1); i++) {
            power = x == -1 ? (y % 2 == 0 ? 1 : -1) : Math.multiplyExact(power, x);
            if (x == -1) {
                break;
            }
        }
        return power;
    }

    /** Applies the filter {@code int}. */
    static Object integer(Object value, Function.Arguments a) throws TemplateException {
        if (a.integer(1, "base", 10) != 10) {
            throw new TemplateException("the filter 'int' in a base other than 10 is not supported");
        }
        requireDefined(value);
        if (value instanceof Long || value instanceof Boolean) {
            return Values.requireInteger(value);
        }
        String text = value instanceof String given ? given.strip() : "";
        Object number = INTEGER.matcher(text).matches() ? whole(text) : value instanceof Double ? value : real(text);
        return number instanceof Double d ? whole(d) : number == null ? a.get(0, "default", 0L) : number;
    }

    private static Long whole(String digits) throws TemplateException {
        try {
            return Long.valueOf(digits.replace("_", ""));
        } catch (NumberFormatException e) {
            throw new TemplateException("the number " + Texts.shortened(digits) + " is out of range");
        }
    }

    private static Long whole(double real) throws TemplateException {
        if (Math.abs(real) > 1L << 62) {
            throw new TemplateException("the number " + real + " is out of range");
        }
        return (long) real;
    }

    /** Applies the filter {@code float}. */
    static Object real(Object value, Function.Arguments a) throws TemplateException {
        requireDefined(value);
        Double number = Values.isNumber(value) ? Double.valueOf(Values.real(value)) : value instanceof String text ? real(text.strip()) : null;
        return number == null ? a.get(0, "default", 0.0) : number;
    }

    /** Parses a float; returns null if Python would not. */
    private static Double real(String text) throws TemplateException {
        if (REAL.matcher(text).matches()) {
            return Double.valueOf(text.replace("_", ""));
        }
        if (text.matches("(?i)[+-]?(inf|infinity|nan)") || !text.isEmpty() && text.codePoints().anyMatch(c -> c > 127 && Character.isDigit(c))) {
            throw new TemplateException("the number '" + Texts.shortened(text) + "' is not supported");
        }
        return null;
    }

    private static void requireDefined(Object value) throws TemplateException {
        if (value instanceof Undefined) {
            throw new TemplateException(Values.kind(value) + " is used where a number is required");
        }
    }

    /** Applies the filter {@code round}, half to even of the exact value. */
    static Object round(Object value, Function.Arguments a) throws TemplateException {
        int places = Math.max(-MAX_PLACES, Math.min(MAX_PLACES, a.integer(0, "precision", 0)));
        String method = Values.requireText(a.get(1, "method", "common"));
        if (!Values.isNumber(value)) {
            throw new TemplateException("it rounds " + Values.kind(value));
        }
        if (method.equals("common")) {
            if (!(value instanceof Double real)) {
                if (places < 0) {
                    throw new TemplateException("it rounds a whole number to tens, which is not supported");
                }
                return Values.requireInteger(value);
            }
            double rounded = new BigDecimal(real).setScale(places, RoundingMode.HALF_EVEN).doubleValue();
            return Math.copySign(rounded, real);
        }
        if (!method.equals("ceil") && !method.equals("floor")) {
            throw new TemplateException("it rounds by the method '" + method + "', which Jinja does not have");
        }
        if (places < 0) {
            throw new TemplateException("it rounds to tens, which is not supported");
        }
        double scale = Math.pow(10, places);
        double scaled = Values.real(value) * scale;
        return whole(method.equals("ceil") ? Math.ceil(scaled) : Math.floor(scaled)) / scale;
    }

    /** Formats a float as Python does, with the fewest digits that identify it. */
    static String text(double number) {
        if (!Double.isFinite(number)) {
            return Double.isNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
        }
        if (number == 0) {
            return 1 / number < 0 ? "-0.0" : "0.0";
        }
        // Not Double.toString, whose result is not always the shortest before JDK 19.
        BigDecimal exact = new BigDecimal(number);
        BigDecimal decimal = exact;
        for (int digits = 1; digits <= 17; digits++) {
            decimal = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
            if (decimal.doubleValue() == number) {
                break;
            }
        }
        decimal = decimal.stripTrailingZeros();
        int exponent = decimal.precision() - decimal.scale() - 1;
        if (exponent >= -4 && exponent < 16) {
            String plain = decimal.toPlainString();
            return plain.contains(".") ? plain : plain + ".0";
        }
        String digits = decimal.unscaledValue().abs().toString();
        return (number < 0 ? "-" : "") + digits.charAt(0) + (digits.length() > 1 ? "." + digits.substring(1) : "")
                + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }
}
