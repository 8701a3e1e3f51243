// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.Iterator;
import java.util.List;

/** Result of filters such as {@code map} and {@code select}: can be iterated over once, is always true, and has no length. */
final class Generator {
    private final Iterator<Object> items;

    Generator(List<Object> items) {
        this.items = items.iterator();
    }

    Iterator<Object> items() {
        return items;
    }
}
