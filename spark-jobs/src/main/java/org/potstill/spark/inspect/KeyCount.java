// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import scala.Tuple2;

/**
 * Comparison of the keys in a cache with those in its snapshot.
 *
 * @param rows        rows of the cache
 * @param keys        distinct keys of the rows
 * @param named       distinct keys of the snapshot
 * @param missingKeys keys of the snapshot without a row
 * @param unnamedRows rows whose keys are not in the snapshot
 */
record KeyCount(long rows, long keys, long named, long missingKeys, long unnamedRows) implements Serializable {
    static KeyCount of(JavaRDD<String> rows, JavaRDD<String> named) {
        JavaPairRDD<String, Long> held = rows.mapToPair(key -> new Tuple2<>(key, 1L)).reduceByKey(Long::sum);
        JavaPairRDD<String, Boolean> wanted = named.mapToPair(key -> new Tuple2<>(key, true)).reduceByKey((one, same) -> one);
        return held.fullOuterJoin(wanted).values().map(key -> of(key._1().orElse(0L), key._2().isPresent()))
                .fold(new KeyCount(0, 0, 0, 0, 0), KeyCount::plus);
    }

    private static KeyCount of(long rows, boolean named) {
        return new KeyCount(rows, rows > 0 ? 1 : 0, named ? 1 : 0, named && rows == 0 ? 1 : 0, named ? 0 : rows);
    }

    private KeyCount plus(KeyCount other) {
        return new KeyCount(rows + other.rows, keys + other.keys, named + other.named, missingKeys + other.missingKeys,
                unnamedRows + other.unnamedRows);
    }
}
