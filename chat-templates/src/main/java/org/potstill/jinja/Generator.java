// SPDX-License-Identifier: Apache-2.0
package org.potstill.jinja;

import java.util.Iterator;
import java.util.List;

/** What filters such as {@code map} and {@code select} give: to be gone through once, always true, without a length. */
final class Generator {
    private final Iterator<Object> items;

    Generator(List<Object> items) {
        this.items = items.iterator();
    }

    Iterator<Object> items() {
        return items;
    }
}
