// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;

/** The variable {@code loop}. Items are requested no earlier than needed, because a condition may depend on what happens before. */
final class Loop implements Members, Function {
    /** Condition on the items of a loop. */
    interface Condition {
        boolean holds(Object item) throws TemplateException;
    }

    private static final Object NONE = new Object();

    private final Iterator<Object> items;
    private final Condition condition;
    private final Function inner;
    private final int depth;
    /** Items that were requested before their turn. */
    private final Deque<Object[]> ahead = new ArrayDeque<>();
    private Object previous = Undefined.NAMELESS;
    private Object current = NONE;
    private Object changed = NONE;
    private long index = -1;

    /**
     * Creates a loop.
     *
     * @param inner writes the loop for other items; null if it is not recursive
     * @param depth number of recursive calls it is in
     */
    Loop(Iterator<Object> items, Condition condition, Function inner, int depth) {
        this.items = items;
        this.condition = condition;
        this.inner = inner;
        this.depth = depth;
    }

    /** Advances to the next item, if there is one. */
    boolean next() throws TemplateException {
        if (!fill(1)) {
            return false;
        }
        previous = current == NONE ? Undefined.NAMELESS : current;
        current = ahead.remove()[0];
        index++;
        return true;
    }

    Object current() {
        return current;
    }

    /** Requests items until {@code count} are ahead; returns whether there are as many. */
    private boolean fill(int count) throws TemplateException {
        while (ahead.size() < count && items.hasNext()) {
            Object item = items.next();
            if (condition.holds(item)) {
                ahead.add(new Object[] {item});
            }
        }
        return ahead.size() >= count;
    }

    @Override
    public Object member(String name) throws TemplateException {
        return switch (name) {
            case "index" -> index + 1;
            case "index0" -> index;
            case "first" -> index == 0;
            case "last" -> !fill(1);
            case "length" -> length();
            case "revindex" -> length() - index;
            case "revindex0" -> length() - index - 1;
            case "previtem" -> previous;
            case "nextitem" -> fill(1) ? ahead.peek()[0] : Undefined.NAMELESS;
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "cycle" -> (Function) (arguments, budget) -> {
                if (arguments.places().isEmpty() || !arguments.names().isEmpty()) {
                    throw new TemplateException("'loop.cycle' needs items");
                }
                return arguments.places().get((int) (index % arguments.places().size()));
            };
            case "changed" -> (Function) (arguments, budget) -> {
                List<Object> values = new ArrayList<>(arguments.checked("loop.changed", List.of("a", "b", "c", "d")).places());
                boolean same = changed != NONE && Values.equal(changed, values, budget);
                changed = values;
                return !same;
            };
            default -> new Undefined(name);
        };
    }

    private long length() throws TemplateException {
        fill(Integer.MAX_VALUE);
        return index + 1 + ahead.size();
    }

    @Override
    public Object call(Arguments arguments, Budget budget) throws TemplateException {
        if (inner == null) {
            throw new TemplateException("it calls 'loop', which is not recursive");
        }
        return inner.call(arguments.checked("loop", List.of("iterable")), budget);
    }
}
