// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A function that a template can call. */
interface Function {
    Object call(Arguments arguments, Budget budget) throws TemplateException;

    /**
     * Returns the parameters of functions, by function name.
     *
     * @param lines a function's name and its parameters' names, separated by spaces
     */
    static Map<String, List<String>> signatures(String... lines) {
        Map<String, List<String>> signatures = new HashMap<>();
        for (String line : lines) {
            List<String> words = Arrays.asList(line.split(" "));
            signatures.put(words.get(0), words.subList(1, words.size()));
        }
        return Map.copyOf(signatures);
    }

    /** Positional and named arguments. */
    record Arguments(List<Object> places, Map<String, Object> names) {
        static final Arguments NONE = new Arguments(List.of(), Map.of());

        /** Checks that the function has these parameters: ignoring an argument would change the output. */
        Arguments checked(String function, List<String> parameters) throws TemplateException {
            if (places.size() > parameters.size()) {
                throw new TemplateException("'" + function + "' is given " + places.size() + " arguments, but takes " + parameters.size());
            }
            for (String name : names.keySet()) {
                int place = parameters.indexOf(name);
                if (place < 0 || place < places.size()) {
                    throw new TemplateException("'" + function + "' is given the argument '" + name + "', which "
                            + (place < 0 ? "is not supported" : "it already has"));
                }
            }
            return this;
        }

        /** Returns the argument at a position or of a name, or the default. */
        Object get(int place, String name, Object otherwise) {
            return place < places.size() ? places.get(place) : names.getOrDefault(name, otherwise);
        }

        Object required(int place, String name) throws TemplateException {
            if (place >= places.size() && !names.containsKey(name)) {
                throw new TemplateException("an argument is missing: " + name);
            }
            return get(place, name, null);
        }

        String text(int place, String name) throws TemplateException {
            return Values.requireText(required(place, name));
        }

        boolean flag(int place, String name) throws TemplateException {
            return Values.isTrue(get(place, name, false));
        }

        int integer(int place, String name, int otherwise) throws TemplateException {
            Object value = get(place, name, null);
            return value == null ? otherwise : (int) Math.max(-(1 << 30), Math.min(1 << 30, Values.requireInteger(value)));
        }

        Arguments without(int first) {
            return new Arguments(places.subList(Math.min(first, places.size()), places.size()), names);
        }

        Arguments with(String name, Object value) {
            Map<String, Object> more = new LinkedHashMap<>(names);
            more.put(name, value);
            return new Arguments(places, more);
        }
    }
}
