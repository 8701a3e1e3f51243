package org.potstill.checkpoints.jinja;

import java.util.List;
import java.util.Map;

/** What a template can call. */
interface Function {
    Object call(Arguments arguments, Budget budget) throws TemplateException;

    /** By place and by name. */
    record Arguments(List<Object> places, Map<String, Object> names) {
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

        int integer(int place, String name, int otherwise) throws TemplateException {
            Object value = get(place, name, null);
            return value == null ? otherwise : (int) Math.max(-(1 << 30), Math.min(1 << 30, Values.requireInteger(value)));
        }

        Arguments without(int first) {
            return new Arguments(places.subList(Math.min(first, places.size()), places.size()), names);
        }
    }
}
