// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Python's values in templates: String, Long, Double, Boolean, lists, maps and null for None; and those that
 * templates create: {@link Tuple}, {@link View}, {@link Generator}, {@link Markup}, {@link Members},
 * {@link Function}; and {@link Undefined}.
 */
final class Values {
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
        if (value instanceof Markup markup) {
            return !markup.text().isEmpty();
        }
        if (value instanceof List<?> list) {
            return !list.isEmpty();
        }
        if (value instanceof View view) {
            return !view.items().isEmpty();
        }
        if (value instanceof Map<?, ?> map) {
            return !map.isEmpty();
        }
        return value != null && !(value instanceof Undefined);
    }

    static boolean equal(Object a, Object b, Budget budget) throws TemplateException {
        if (isNumber(a) && isNumber(b)) {
            return a instanceof Double || b instanceof Double ? real(a) == real(b) : requireInteger(a) == requireInteger(b);
        }
        // Not equals, which would not count steps: lists that share nested lists can take exponential time.
        budget.step();
        if (a instanceof List<?> x && b instanceof List<?> y) {
            boolean same = x.size() == y.size() && a instanceof Tuple == b instanceof Tuple;
            for (int i = 0; same && i < x.size(); i++) {
                same = equal(x.get(i), y.get(i), budget);
            }
            return same;
        }
        if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            boolean same = x.size() == y.size();
            for (Iterator<? extends Map.Entry<?, ?>> entries = x.entrySet().iterator(); same && entries.hasNext();) {
                Map.Entry<?, ?> entry = entries.next();
                same = y.containsKey(entry.getKey()) && equal(entry.getValue(), y.get(entry.getKey()), budget);
            }
            return same;
        }
        if (a instanceof View && b instanceof View) {
            throw new TemplateException("it compares " + kind(a) + " with " + kind(b) + ", which is not supported");
        }
        if (a instanceof Undefined || b instanceof Undefined) {
            return a instanceof Undefined && b instanceof Undefined;
        }
        return a instanceof String || a instanceof Markup ? Objects.equals(plain(a), plain(b)) : a == b;
    }

    private static Object plain(Object value) {
        return value instanceof Markup markup ? markup.text() : value;
    }

    /** Returns a value as a key. In Python, floats and tuples can be keys, too. */
    static Object key(Object value) throws TemplateException {
        if (value == null || value instanceof String || value instanceof Long) {
            return value;
        }
        throw new TemplateException(kind(value) + " is used where a key is required");
    }

    static int compare(Object a, Object b) throws TemplateException {
        if (isNumber(a) && isNumber(b)) {
            if (!(a instanceof Double) && !(b instanceof Double)) {
                return Long.compare(requireInteger(a), requireInteger(b));
            }
            double x = real(a);
            double y = real(b);
            return x < y ? -1 : x > y ? 1 : 0;
        }
        if (a instanceof String x && b instanceof String y) {
            return Texts.compare(x, y);
        }
        throw new TemplateException("it compares " + kind(a) + " with " + kind(b));
    }

    static boolean contains(Object container, Object item, Budget budget) throws TemplateException {
        if (container instanceof String text) {
            return text.contains(requireText(item));
        }
        if (container instanceof Map<?, ?> map) {
            return has(map, key(item));
        }
        for (Iterator<Object> items = iterator(container); items.hasNext();) {
            if (equal(items.next(), item, budget)) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether a map has a key, even if the map does not allow null. */
    static boolean has(Map<?, ?> map, Object key) {
        return key == null ? map.keySet().stream().anyMatch(Objects::isNull) : map.containsKey(key);
    }

    static Iterator<Object> iterator(Object value) throws TemplateException {
        return value instanceof Generator generator ? generator.items() : items(value).iterator();
    }

    /** Returns the items that a loop iterates over; consumes a generator. */
    static List<Object> items(Object value) throws TemplateException {
        if (value instanceof List<?> list) {
            return cast(list);
        }
        if (value instanceof View view) {
            return view.items();
        }
        if (value instanceof Generator generator) {
            List<Object> rest = new ArrayList<>();
            generator.items().forEachRemaining(rest::add);
            return rest;
        }
        if (value instanceof Map<?, ?> map) {
            return new ArrayList<>(map.keySet());
        }
        if (value instanceof String text && text.length() <= Budget.MAX_ITEMS) {
            return new ArrayList<>(text.codePoints().mapToObj(Character::toString).toList());
        }
        if (value instanceof Undefined) {
            return List.of();
        }
        throw new TemplateException("it iterates over " + kind(value));
    }

    @SuppressWarnings("unchecked")
    static List<Object> cast(List<?> list) {
        return (List<Object>) list;
    }

    static long length(Object value) throws TemplateException {
        if (value instanceof Generator || value instanceof Members || value instanceof Function) {
            throw new TemplateException("it asks for the length of " + kind(value));
        }
        Object measured = plain(value);
        return measured instanceof String text ? text.codePointCount(0, text.length())
                : measured instanceof Map<?, ?> map ? map.size() : items(measured).size();
    }

    /** Evaluates {@code value[key]}, ignoring members of Python's types. */
    static Object item(Object value, Object key) throws TemplateException {
        if (value instanceof Undefined) {
            throw new TemplateException("it takes " + (key instanceof String ? "'" + key + "'" : key) + " of " + kind(value));
        }
        if (value instanceof Map<?, ?> map) {
            boolean possible = key == null || key instanceof String || key instanceof Long;
            if (!possible && !(key instanceof List) && !(key instanceof Map)) {
                key(key);
            }
            return possible && has(map, key) ? map.get(key) : new Undefined(String.valueOf(key));
        }
        if (key instanceof Long || key instanceof Boolean) {
            List<Object> items = value instanceof List<?> list ? cast(list) : value instanceof View view && view.range() ? view.items() : null;
            int[] characters = value instanceof String text ? text.codePoints().toArray() : null;
            int size = items != null ? items.size() : characters != null ? characters.length : 0;
            long place = requireInteger(key) < 0 ? requireInteger(key) + size : requireInteger(key);
            if (place >= 0 && place < size) {
                return items != null ? items.get((int) place) : Character.toString(characters[(int) place]);
            }
        }
        if (value instanceof Markup) {
            throw new TemplateException("it takes a part of a text marked safe, which is not supported");
        }
        return new Undefined(key instanceof String || key instanceof Long ? key.toString() : "");
    }

    /** Evaluates {@code value[from:to:step]}, each of which may be null. */
    static Object slice(Object value, Object from, Object to, Object step) throws TemplateException {
        if (!(value instanceof String) && !(value instanceof List)) {
            throw new TemplateException("it takes a part of " + kind(value) + ", which is not supported");
        }
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
        return characters != null ? joined.toString() : value instanceof Tuple ? new Tuple(slice) : slice;
    }

    private static long place(long index, long size, long stride) {
        long place = index < 0 ? Math.max(index + size, -1) : Math.min(index, size);
        return stride > 0 ? Math.max(place, 0) : Math.min(place, size - 1);
    }

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean;
    }

    /**
     * Converts a number to floating point.
     *
     * @param value a number
     */
    static double real(Object value) {
        return value instanceof Double number ? number : value instanceof Boolean flag ? flag ? 1 : 0 : (Long) value;
    }

    static long requireInteger(Object value) throws TemplateException {
        if (value instanceof Boolean flag) {
            return flag ? 1 : 0;
        }
        if (value instanceof Long number) {
            return number;
        }
        throw new TemplateException(kind(value) + " is used where an integer is required");
    }

    static String requireText(Object value) throws TemplateException {
        if (value instanceof String text) {
            return text;
        }
        throw new TemplateException(kind(value) + " is used where a text is required");
    }

    static String kind(Object value) {
        if (value instanceof Undefined undefined) {
            return undefined.name().isEmpty() ? "something undefined" : "the undefined '" + Texts.shortened(undefined.name()) + "'";
        }
        return value == null ? "none" : value instanceof String ? "a text" : value instanceof Markup ? "a text marked safe"
                : isNumber(value) ? "a number" : value instanceof Tuple ? "a tuple" : value instanceof List ? "a list"
                : value instanceof Map ? "a mapping" : value instanceof View view ? view.range() ? "a range" : view.name()
                : value instanceof Generator ? "a generator" : value instanceof Members ? "an object" : "a function";
    }
}
