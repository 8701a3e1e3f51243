// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A range, or a mapping's keys, values or items: can be iterated over repeatedly, but is not a list.
 *
 * @param name  Python's name, such as {@code dict_keys}; for a range, its whole representation
 * @param range whether it is a range, whose items have indices
 */
record View(String name, List<Object> items, boolean range) {
    static View keys(Map<?, ?> map) {
        return new View("dict_keys", new ArrayList<>(map.keySet()), false);
    }

    static View values(Map<?, ?> map) {
        return new View("dict_values", new ArrayList<>(map.values()), false);
    }

    static View members(Map<?, ?> map) {
        List<Object> members = new ArrayList<>();
        map.forEach((key, value) -> members.add(Tuple.of(key, value)));
        return new View("dict_items", members, false);
    }

    static View range(Function.Arguments arguments, Budget budget) throws TemplateException {
        arguments.checked("range", List.of("start", "stop", "step"));
        int count = arguments.places().size();
        long from = count > 1 ? Values.requireInteger(arguments.places().get(0)) : 0;
        long to = Values.requireInteger(arguments.required(count > 1 ? 1 : 0, "stop"));
        long step = count > 2 ? Values.requireInteger(arguments.places().get(2)) : 1;
        if (step == 0) {
            throw new TemplateException("it counts in steps of 0");
        }
        List<Object> numbers = new ArrayList<>();
        for (long i = from; step > 0 ? i < to : i > to; i += step) {
            numbers.add(i);
            budget.items(numbers.size());
        }
        return new View("range(" + from + ", " + to + (step == 1 ? ")" : ", " + step + ")"), numbers, true);
    }
}
