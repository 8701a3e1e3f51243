// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.IOException;
import java.io.Serializable;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.potstill.spark.cache.LabelFile;

/**
 * Sums over the footers of label files.
 *
 * @param files       number of readable files
 * @param bytes       their size
 * @param rows        number of rows
 * @param tokens      number of tokens
 * @param columnBytes bytes on disk, by column
 * @param writers     versions of the library that wrote them, a few at most
 * @param first       time when the oldest file was written, in milliseconds since 1970
 * @param last        time when the newest file was written
 * @param unreadable  unreadable files
 */
record Footers(long files, long bytes, long rows, long tokens, Map<String, Long> columnBytes, Set<String> writers, long first, long last,
        Problems unreadable) implements Serializable {
    private static final int WRITERS = 5;
    static final Footers NONE = new Footers(0, 0, 0, 0, Map.of(), Set.of(), Long.MAX_VALUE, Long.MIN_VALUE, Problems.NONE);

    static Footers of(String path, Configuration hadoop) {
        try (LabelFile file = LabelFile.open(path, hadoop)) {
            return new Footers(1, file.length(), file.rows(), file.tokens(), file.columnBytes(), Set.of(file.createdBy()),
                    file.modified(), file.modified(), Problems.NONE);
        } catch (IOException | RuntimeException e) {
            return new Footers(0, 0, 0, 0, Map.of(), Set.of(), Long.MAX_VALUE, Long.MIN_VALUE, Problems.of(
                    new Problem(Problem.Kind.UNREADABLE_FILE, LabelFiles.name(path), "", LabelFiles.why(e))));
        }
    }

    Footers plus(Footers other) {
        Map<String, Long> columns = new TreeMap<>(columnBytes);
        other.columnBytes.forEach((column, more) -> columns.merge(column, more, Long::sum));
        Set<String> all = Stream.concat(writers.stream(), other.writers.stream()).sorted().distinct().limit(WRITERS)
                .collect(Collectors.toCollection(TreeSet::new));
        return new Footers(files + other.files, bytes + other.bytes, rows + other.rows, tokens + other.tokens, columns, all,
                Math.min(first, other.first), Math.max(last, other.last), unreadable.plus(other.unreadable));
    }

    /** Returns the number of next-token predictions. */
    long positions() {
        return tokens - rows;
    }
}
