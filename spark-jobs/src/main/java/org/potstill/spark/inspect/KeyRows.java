package org.potstill.spark.inspect;

import java.io.Serializable;

/**
 * The rows of one key.
 *
 * @param path   of a file with one, a sound one where there is any
 * @param row    that one
 * @param differ whether they say different things
 */
record KeyRows(String path, CheckedFile.Row row, boolean differ) implements Serializable {
    KeyRows plus(KeyRows other) {
        boolean mine = row.sound() == other.row.sound() ? path.compareTo(other.path) <= 0 : row.sound();
        return new KeyRows(mine ? path : other.path, mine ? row : other.row, differ || other.differ || row.digest() != other.row.digest());
    }
}
