// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;

/**
 * The rows of one key.
 *
 * @param path  of a file with one, a sound one where there is any
 * @param row   that one
 * @param other path of a file with one that says something else; null for none
 */
record KeyRows(String path, CheckedFile.Row row, String other) implements Serializable {
    KeyRows(String path, CheckedFile.Row row) {
        this(path, row, null);
    }

    KeyRows plus(KeyRows more) {
        boolean mine = row.sound() == more.row.sound() ? path.compareTo(more.path) <= 0 : row.sound();
        KeyRows kept = mine ? this : more;
        KeyRows left = mine ? more : this;
        String different = kept.row.digest() != left.row.digest() ? left.path : left.other;
        return new KeyRows(kept.path, kept.row, kept.other != null ? kept.other : different);
    }
}
