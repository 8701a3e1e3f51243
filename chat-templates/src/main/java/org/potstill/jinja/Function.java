// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a template can call. */
interface Function {
    Object call(Arguments arguments, Budget budget) throws TemplateException;

    /**
     * The parameters of functions, by their names.
     *
     * @param lines a function's name and those of its parameters, with blanks between
     */
    static Map<String, List<String>> signatures(String... lines) {
        Map<String, List<String>> signatures = new HashMap<>();
        for (String line : lines) {
            List<String> words = Arrays.asList(line.split(" "));
            signatures.put(words.get(0), words.subList(1, words.size()));
        }
        return Map.copyOf(signatures);
    }

    /** By place and by name. */
    record Arguments(List<Object> places, Map<String, Object> names) {
        static final Arguments NONE = new Arguments(List.of(), Map.of());

        /** These, where a function of such parameters takes them: one that is ignored would change what is written. */
        Arguments checked(String function, List<String> parameters) throws TemplateException {
            if (places.size() > parameters.size()) {
                throw new TemplateException("'" + function + "' is given " + places.size() + " arguments, and takes " + parameters.size());
            }
            for (String name : names.keySet()) {
                int place = parameters.indexOf(name);
                if (place < 0 || place < places.size()) {
                    throw new TemplateException("'" + function + "' is given the argument '" + name + "', which "
                            + (place < 0 ? "is not supported" : "it has already"));
                }
            }
            return this;
        }

        /** The argument at a place or of a name, or what stands for it. */
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
