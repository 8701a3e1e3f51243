// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;

/**
 * Rows with the same key.
 *
 * @param path  file of the chosen row: a sound one if there is any
 * @param row   the chosen row
 * @param other file of a row that differs from it; null if none does
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
