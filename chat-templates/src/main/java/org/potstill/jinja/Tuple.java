// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;

/** Python's tuple: a list that is written in parentheses and is not equal to any list. */
final class Tuple extends AbstractList<Object> implements RandomAccess {
    private final List<?> items;

    Tuple(List<?> items) {
        this.items = items;
    }

    static Tuple of(Object... items) {
        return new Tuple(Arrays.asList(items));
    }

    @Override
    public Object get(int index) {
        return items.get(index);
    }

    @Override
    public int size() {
        return items.size();
    }
}
