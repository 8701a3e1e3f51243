// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Filters on lists. */
final class SequenceFilters {
    /** Order of Python's {@code <}, which fails for values without an order. */
    interface Order {
        int compare(Object a, Object b) throws TemplateException;
    }

    private static final class Incomparable extends RuntimeException {
        private final TemplateException cause;

        Incomparable(TemplateException cause) {
            this.cause = cause;
        }
    }

    private SequenceFilters() {
    }

    static List<Object> sorted(List<Object> items, Order order, boolean reverse) throws TemplateException {
        List<Object> sorted = new ArrayList<>(items);
        try {
            sorted.sort((x, y) -> {
                try {
                    return reverse ? order.compare(y, x) : order.compare(x, y);
                } catch (TemplateException e) {
                    throw new Incomparable(e);
                }
            });
        } catch (Incomparable e) {
            throw e.cause;
        } catch (IllegalArgumentException e) {
            throw new TemplateException("it sorts values that have no order");
        }
        return sorted;
    }

    /** Returns the order that the arguments {@code attribute} and {@code case_sensitive} at these positions describe. */
    private static Order order(Function.Arguments a, int casePlace, int attributePlace) throws TemplateException {
        Object attribute = a.get(attributePlace, "attribute", null);
        if (attribute instanceof String path && path.contains(",")) {
            throw new TemplateException("an order by several attributes is not supported");
        }
        boolean caseMatters = a.flag(casePlace, "case_sensitive");
        return (x, y) -> Values.compare(key(x, attribute, caseMatters), key(y, attribute, caseMatters));
    }

    private static Object key(Object item, Object attribute, boolean caseMatters) throws TemplateException {
        Object key = attribute == null ? item : Methods.path(item, attribute);
        return key instanceof String text && !caseMatters ? Texts.lower(text) : key;
    }

    static List<Object> sort(Object value, Function.Arguments a) throws TemplateException {
        return sorted(Values.items(value), order(a, 1, 2), a.flag(0, "reverse"));
    }

    static List<Object> dictsort(Object value, Function.Arguments a) throws TemplateException {
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateException("it sorts the members of " + Values.kind(value));
        }
        boolean caseMatters = a.flag(0, "case_sensitive");
        Object by = a.get(1, "by", "key");
        if (!"key".equals(by) && !"value".equals(by)) {
            throw new TemplateException("'dictsort' sorts neither by key nor by value");
        }
        Object place = by.equals("key") ? 0L : 1L;
        return sorted(View.members(map).items(), (x, y) -> Values.compare(key(x, place, caseMatters), key(y, place, caseMatters)),
                a.flag(2, "reverse"));
    }

    static Object extreme(Object value, Function.Arguments a, boolean largest) throws TemplateException {
        Order order = order(a, 0, 1);
        List<Object> items = Values.items(value);
        Object best = items.isEmpty() ? Undefined.NAMELESS : items.get(0);
        for (Object item : items) {
            int sign = item == best ? 0 : order.compare(item, best);
            best = largest ? sign > 0 ? item : best : sign < 0 ? item : best;
        }
        return best;
    }

    static Object sum(Object value, Function.Arguments a, Budget budget) throws TemplateException {
        Object attribute = a.get(0, "attribute", null);
        Object sum = a.get(1, "start", 0L);
        for (Object item : Values.items(value)) {
            Object part = attribute == null ? item : Methods.path(item, attribute);
            if (sum instanceof String || part instanceof String) {
                throw new TemplateException("it sums up texts");
            }
            sum = Numbers.add(sum, part, budget);
        }
        return sum;
    }

    static Generator unique(Object value, Function.Arguments a) throws TemplateException {
        Set<Object> seen = new HashSet<>();
        List<Object> unique = new ArrayList<>();
        for (Object item : Values.items(value)) {
            if (seen.add(Values.key(key(item, a.get(1, "attribute", null), a.flag(0, "case_sensitive"))))) {
                unique.add(item);
            }
        }
        return new Generator(unique);
    }

    static List<Object> groupby(Object value, Function.Arguments a, Budget budget) throws TemplateException {
        Object attribute = a.required(0, "attribute");
        if (a.get(1, "default", null) != null || a.flag(2, "case_sensitive")) {
            throw new TemplateException("'groupby' with a default or by case is not supported");
        }
        List<Object> sorted = sorted(Values.items(value),
                (x, y) -> Values.compare(key(x, attribute, false), key(y, attribute, false)), false);
        List<Object> groups = new ArrayList<>();
        List<Object> group = List.of();
        for (Object item : sorted) {
            Object key = Methods.path(item, attribute);
            if (group.isEmpty() || !Values.equal(key(item, attribute, false), key(group.get(0), attribute, false), budget)) {
                group = new ArrayList<>();
                groups.add(Tuple.of(key, group));
            }
            group.add(item);
        }
        return groups;
    }

    static Generator batch(Object value, Function.Arguments a, Budget budget) throws TemplateException {
        long size = Values.requireInteger(a.required(0, "linecount"));
        Object fill = a.get(1, "fill_with", null);
        List<Object> batches = new ArrayList<>();
        List<Object> batch = new ArrayList<>();
        for (Object item : Values.items(value)) {
            if (batch.size() == size) {
                batches.add(batch);
                batch = new ArrayList<>();
            }
            batch.add(item);
        }
        if (!batch.isEmpty()) {
            while (fill != null && batch.size() < size) {
                batch.add(fill);
                budget.items(batch.size());
            }
            batches.add(batch);
        }
        return new Generator(batches);
    }

    static Object reverse(Object value) throws TemplateException {
        if (value instanceof String text) {
            return new StringBuilder(text).reverse().toString();
        }
        List<Object> reversed = new ArrayList<>(Values.items(value));
        Collections.reverse(reversed);
        return value instanceof Generator ? reversed : new Generator(reversed);
    }

    static Object last(Object value) throws TemplateException {
        if (value instanceof Generator) {
            throw new TemplateException("it takes the last of a generator");
        }
        List<Object> items = Values.items(value);
        return items.isEmpty() ? Undefined.NAMELESS : items.get(items.size() - 1);
    }

    static Generator map(Object value, Function.Arguments a, Budget budget) throws TemplateException {
        List<Object> mapped = new ArrayList<>();
        Object attribute = a.names().get("attribute");
        if (attribute != null) {
            a.without(a.places().size()).checked("map", List.of("attribute", "default"));
        }
        for (Object item : Values.isTrue(value) ? Values.items(value) : List.of()) {
            budget.step();
            if (attribute == null) {
                mapped.add(budget.made(Filters.apply(a.text(0, "filter"), item, a.without(1), budget)));
            } else {
                Object member = Methods.path(item, attribute);
                mapped.add(member instanceof Undefined ? a.names().getOrDefault("default", member) : member);
            }
        }
        return new Generator(mapped);
    }

    /**
     * Selects or rejects items by a test.
     *
     * @param ofAttribute whether the first argument names the attribute to test
     */
    static Generator selected(Object value, boolean wanted, boolean ofAttribute, Function.Arguments all, Budget budget)
            throws TemplateException {
        Object attribute = ofAttribute ? all.required(0, "attribute") : null;
        Function.Arguments a = ofAttribute ? all.without(1) : all;
        List<Object> selected = new ArrayList<>();
        for (Object item : Values.isTrue(value) ? Values.items(value) : List.of()) {
            budget.step();
            Object tested = attribute == null ? item : Methods.path(item, attribute);
            boolean passes = a.places().isEmpty() ? Values.isTrue(tested) : Tests.passes(a.text(0, "test"), tested, a.without(1), budget);
            if (passes == wanted) {
                selected.add(item);
            }
        }
        return new Generator(selected);
    }

    static String join(String between, List<Object> items, Budget budget) throws TemplateException {
        StringBuilder joined = new StringBuilder();
        for (int i = 0; i < items.size(); i++) {
            joined.append(i > 0 ? between : "").append(Writing.text(items.get(i), budget));
            budget.chars(joined.length());
        }
        return joined.toString();
    }

    static String join(Object value, Function.Arguments a, Budget budget) throws TemplateException {
        Object attribute = a.get(1, "attribute", null);
        List<Object> items = Values.items(value);
        if (attribute != null) {
            List<Object> members = new ArrayList<>();
            for (Object item : items) {
                members.add(Methods.path(item, attribute));
            }
            items = members;
        }
        return join(Writing.text(a.get(0, "d", ""), budget), items, budget);
    }
}
