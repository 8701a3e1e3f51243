// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Members of values, and the methods of Python's strings, lists and mappings that change nothing. */
final class Methods {
    /** Methods of mappings and lists that Jinja's sandbox hides. */
    private static final Set<String> CHANGING = Set.of("clear", "pop", "popitem", "setdefault", "update");
    private static final Set<String> OF_NUMBERS = Set.of("real", "imag", "numerator", "denominator", "conjugate", "bit_length", "bit_count",
            "to_bytes", "from_bytes", "as_integer_ratio", "is_integer", "hex", "fromhex");

    private Methods() {
    }

    /** Evaluates {@code value.name}: members of the type take precedence over a mapping's keys. */
    static Object attribute(Object value, String name) throws TemplateException {
        if (value instanceof Members members) {
            return members.member(name);
        }
        Object member = member(value, name);
        if (member == null && value instanceof Map && CHANGING.contains(name)) {
            return new Undefined(name);
        }
        return member != null ? member : Values.item(value, name);
    }

    /** Evaluates {@code value['name']}: a mapping's keys take precedence over members of the type. */
    static Object item(Object value, Object key) throws TemplateException {
        if (value instanceof Members members && key instanceof String name) {
            return members.member(name);
        }
        Object item = Values.item(value, key);
        Object member = item instanceof Undefined && key instanceof String name ? member(value, name) : null;
        return member != null ? member : item;
    }

    /** Evaluates the argument {@code attribute} of filters, such as {@code function.name} or {@code 0}. */
    static Object path(Object value, Object path) throws TemplateException {
        if (!(path instanceof String text)) {
            return item(value, Values.requireInteger(path));
        }
        Object at = value;
        for (String part : text.split("\\.", -1)) {
            at = item(at, part.matches("[0-9]{1,9}") ? (Object) Long.valueOf(part) : part);
        }
        return at;
    }

    private static Object member(Object value, String name) throws TemplateException {
        if (value instanceof String text) {
            return TextMethods.of(text, name);
        }
        if (value instanceof Map<?, ?> map) {
            return ofMap(map, name);
        }
        if (value instanceof List<?> list) {
            return ofList(list, name);
        }
        if (value instanceof Markup || value instanceof Function || value instanceof View && !name.startsWith("_")
                || Values.isNumber(value) && OF_NUMBERS.contains(name)) {
            throw new TemplateException("the member '" + name + "' of " + Values.kind(value) + " is not supported");
        }
        return null;
    }

    private static Function ofMap(Map<?, ?> map, String name) throws TemplateException {
        return switch (name) {
            case "items" -> (a, budget) -> none(name, a, View.members(map));
            case "keys" -> (a, budget) -> none(name, a, View.keys(map));
            case "values" -> (a, budget) -> none(name, a, View.values(map));
            case "copy" -> (a, budget) -> none(name, a, new LinkedHashMap<>(map));
            case "get" -> (a, budget) -> {
                a.checked(name, List.of("key", "default"));
                Object key = Values.key(a.required(0, "key"));
                return Values.has(map, key) ? map.get(key) : a.get(1, "default", null);
            };
            case "fromkeys" -> throw new TemplateException("the method 'fromkeys' of mappings is not supported");
            default -> null;
        };
    }

    private static Object none(String method, Function.Arguments arguments, Object value) throws TemplateException {
        arguments.checked(method, List.of());
        return value;
    }

    private static Function ofList(List<?> list, String name) {
        return switch (name) {
            case "index" -> (a, budget) -> {
                a.checked(name, List.of("x"));
                for (int i = 0; i < list.size(); i++) {
                    if (Values.equal(list.get(i), a.required(0, "x"), budget)) {
                        return (long) i;
                    }
                }
                throw new TemplateException("a list has no such item");
            };
            case "count" -> (a, budget) -> {
                a.checked(name, List.of("x"));
                long count = 0;
                for (Object item : list) {
                    count += Values.equal(item, a.required(0, "x"), budget) ? 1 : 0;
                }
                return count;
            };
            case "copy" -> list instanceof Tuple ? null : (a, budget) -> none(name, a, new ArrayList<>(list));
            default -> null;
        };
    }
}
