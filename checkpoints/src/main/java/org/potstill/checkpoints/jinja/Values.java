package org.potstill.checkpoints.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Python's values, as templates know them: String, Long, Double, Boolean, lists, maps and null, for None; and what is
 * undefined, which is empty where it is written and an error where it is used.
 */
final class Values {
    static final Object UNDEFINED = new Object() {
        @Override
        public String toString() {
            return "undefined";
        }
    };

    private Values() {
    }

    static boolean isTrue(Object value) {
        if (value instanceof Boolean flag) {
            return flag;
        }
        if (value instanceof Number number) {
            return number.doubleValue() != 0;
        }
        if (value instanceof String text) {
            return !text.isEmpty();
        }
        if (value instanceof List<?> list) {
            return !list.isEmpty();
        }
        if (value instanceof Map<?, ?> map) {
            return !map.isEmpty();
        }
        return value != null && value != UNDEFINED;
    }

    static boolean equal(Object a, Object b, Budget budget) throws TemplateException {
        if (isNumber(a) && isNumber(b)) {
            return a instanceof Double || b instanceof Double ? real(a) == real(b) : integer(a) == integer(b);
        }
        // Not by equals: two lists may hold one list so often that it never comes to an end.
        budget.step();
        if (a instanceof List<?> x && b instanceof List<?> y) {
            boolean same = x.size() == y.size();
            for (int i = 0; same && i < x.size(); i++) {
                same = equal(x.get(i), y.get(i), budget);
            }
            return same;
        }
        if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            boolean same = x.size() == y.size();
            for (Iterator<?> keys = x.keySet().iterator(); same && keys.hasNext();) {
                Object key = keys.next();
                same = y.containsKey(key) && equal(x.get(key), y.get(key), budget);
            }
            return same;
        }
        return Objects.equals(a, b);
    }

    /** What can be a key: as in Python no list and no mapping. */
    static Object key(Object value) throws TemplateException {
        if (value == null || value instanceof String || isNumber(value)) {
            return value;
        }
        throw new TemplateException(kind(value) + " stands where a key is wanted");
    }

    static int compare(Object a, Object b) throws TemplateException {
        if (isNumber(a) && isNumber(b)) {
            return a instanceof Double || b instanceof Double ? Double.compare(real(a), real(b)) : Long.compare(integer(a), integer(b));
        }
        if (a instanceof String x && b instanceof String y) {
            return x.compareTo(y);
        }
        throw new TemplateException("it compares " + kind(a) + " with " + kind(b));
    }

    static boolean contains(Object container, Object item, Budget budget) throws TemplateException {
        if (container instanceof String text) {
            return text.contains(requireText(item));
        }
        if (container instanceof Map<?, ?> map) {
            return map.containsKey(key(item));
        }
        for (Object each : items(container)) {
            if (equal(each, item, budget)) {
                return true;
            }
        }
        return false;
    }

    /** What a loop goes through. */
    static List<Object> items(Object value) throws TemplateException {
        if (value instanceof List<?> list) {
            return cast(list);
        }
        if (value instanceof Map<?, ?> map) {
            return new ArrayList<>(map.keySet());
        }
        if (value instanceof String text && text.length() <= Budget.MAX_ITEMS) {
            return new ArrayList<>(text.codePoints().mapToObj(Character::toString).toList());
        }
        if (value == UNDEFINED) {
            return List.of();
        }
        throw new TemplateException("it goes through " + kind(value));
    }

    @SuppressWarnings("unchecked")
    static List<Object> cast(List<?> list) {
        return (List<Object>) list;
    }

    static Object add(Object a, Object b, Budget budget) throws TemplateException {
        if (a instanceof String x && b instanceof String y) {
            budget.chars((long) x.length() + y.length());
            return x + y;
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            budget.items((long) x.size() + y.size());
            List<Object> both = new ArrayList<>(x);
            both.addAll(y);
            return both;
        }
        return arithmetic("+", a, b);
    }

    static Object multiply(Object a, Object b, Budget budget) throws TemplateException {
        Object text = a instanceof String ? a : b;
        if (text instanceof String repeated && (a instanceof Long || b instanceof Long)) {
            long times = Math.max(0, (Long) (text == a ? b : a));
            budget.chars(Math.max(times, Math.min(times, Budget.MAX_CHARS + 1L) * repeated.length()));
            return repeated.repeat((int) times);
        }
        return arithmetic("*", a, b);
    }

    static Object arithmetic(String operator, Object a, Object b) throws TemplateException {
        if (!isNumber(a) || !isNumber(b)) {
            throw new TemplateException("it computes " + kind(a) + " " + operator + " " + kind(b));
        }
        try {
            if (operator.equals("/") || operator.equals("**") || a instanceof Double || b instanceof Double) {
                return real(operator, real(a), real(b));
            }
            long x = integer(a);
            long y = integer(b);
            return switch (operator) {
                case "+" -> Math.addExact(x, y);
                case "-" -> Math.subtractExact(x, y);
                case "*" -> Math.multiplyExact(x, y);
                case "//" -> Math.floorDiv(x, y);
                default -> Math.floorMod(x, y);
            };
        } catch (ArithmeticException e) {
            throw new TemplateException("it computes " + a + " " + operator + " " + b);
        }
    }

    private static Object real(String operator, double x, double y) {
        if (y == 0 && (operator.startsWith("/") || operator.equals("%"))) {
            throw new ArithmeticException();
        }
        return switch (operator) {
            case "+" -> x + y;
            case "-" -> x - y;
            case "*" -> x * y;
            case "/" -> x / y;
            case "//" -> Math.floor(x / y);
            case "**" -> power(x, y);
            default -> x - y * Math.floor(x / y);
        };
    }

    private static Object power(double x, double y) {
        double power = Math.pow(x, y);
        return x == Math.rint(x) && y == Math.rint(y) && y >= 0 && Math.abs(power) < 1L << 53 ? (Object) (long) power : (Object) power;
    }

    /** {@code value[key]} */
    static Object item(Object value, Object key) throws TemplateException {
        if (value instanceof Map<?, ?> map) {
            return map.containsKey(key(key)) ? map.get(key) : UNDEFINED;
        }
        if (key instanceof Long index && value instanceof List<?> list) {
            long place = index < 0 ? index + list.size() : index;
            return place >= 0 && place < list.size() ? list.get((int) place) : UNDEFINED;
        }
        if (key instanceof Long index && value instanceof String text) {
            int[] characters = text.codePoints().toArray();
            long place = index < 0 ? index + characters.length : index;
            return place >= 0 && place < characters.length ? Character.toString(characters[(int) place]) : UNDEFINED;
        }
        if (value == UNDEFINED) {
            throw new TemplateException("it takes " + key + " of what is undefined");
        }
        return UNDEFINED;
    }

    /** {@code value[from:to:step]}, each of which may be null. */
    static Object slice(Object value, Object from, Object to, Object step) throws TemplateException {
        int[] characters = value instanceof String text ? text.codePoints().toArray() : null;
        List<Object> items = characters == null ? items(value) : List.of();
        long size = characters == null ? items.size() : characters.length;
        long stride = step == null ? 1 : Math.max(-size - 1, Math.min(size + 1, requireInteger(step)));
        if (stride == 0) {
            throw new TemplateException("it slices in steps of 0");
        }
        long begin = from == null ? stride > 0 ? 0 : size - 1 : place(requireInteger(from), size, stride);
        long end = to == null ? stride > 0 ? size : -1 : place(requireInteger(to), size, stride);
        List<Object> slice = new ArrayList<>();
        StringBuilder joined = new StringBuilder();
        for (long i = begin; stride > 0 ? i < end : i > end; i += stride) {
            if (characters == null) {
                slice.add(items.get((int) i));
            } else {
                joined.appendCodePoint(characters[(int) i]);
            }
        }
        return characters == null ? slice : joined.toString();
    }

    private static long place(long index, long size, long stride) {
        long place = index < 0 ? Math.max(index + size, -1) : Math.min(index, size);
        return stride > 0 ? Math.max(place, 0) : Math.min(place, size - 1);
    }

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean;
    }

    private static long integer(Object value) {
        return value instanceof Boolean flag ? flag ? 1 : 0 : (Long) value;
    }

    private static double real(Object value) {
        return value instanceof Double number ? number : integer(value);
    }

    static long requireInteger(Object value) throws TemplateException {
        if (value instanceof Long || value instanceof Boolean) {
            return integer(value);
        }
        throw new TemplateException(kind(value) + " stands where a whole number is wanted");
    }

    static String requireText(Object value) throws TemplateException {
        if (value instanceof String text) {
            return text;
        }
        throw new TemplateException(kind(value) + " stands where a text is wanted");
    }

    static String kind(Object value) {
        return value == null ? "none" : value == UNDEFINED ? "something undefined" : value instanceof String ? "a text"
                : isNumber(value) ? "a number" : value instanceof List ? "a list" : value instanceof Map ? "a mapping" : "a function";
    }
}
