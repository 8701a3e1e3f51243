// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.LabelFile;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelledSequence;

/** The files of a store, read one by one on the executors. */
final class LabelFiles {
    private static final int FILES_AT_ONCE = 8;

    /** Serializable function of a file. */
    interface Use<T> extends Serializable {
        T apply(String file, Configuration hadoop);
    }

    /** Consumer of rows. */
    interface RowUse {
        void accept(LabelledSequence row);
    }

    private final JavaSparkContext sc;
    private final List<String> paths;
    private final Broadcast<SerializableConfiguration> hadoop;

    LabelFiles(JavaSparkContext sc, LabelStore store) {
        this.sc = sc;
        this.paths = store.files();
        this.hadoop = Cluster.hadoop(sc);
    }

    /** Maps each file to one result. */
    <T> JavaRDD<T> map(Use<T> use) {
        Broadcast<SerializableConfiguration> shared = hadoop;
        int tasks = Math.max(1, Math.min(paths.size(), FILES_AT_ONCE * Cluster.taskSlots(sc)));
        return sc.parallelize(paths, tasks).map(path -> use.apply(path, shared.value().value()));
    }

    Footers footers() {
        return map(Footers::of).fold(Footers.NONE, Footers::plus);
    }

    /** Returns the keys of all readable rows; a key with several rows is repeated. */
    JavaRDD<String> keys() {
        return map((path, conf) -> {
            List<String> keys = new java.util.ArrayList<>();
            read(path, conf, LabelFile.KEYS, row -> keys.add(row.key()));
            return keys;
        }).flatMap(List::iterator);
    }

    /**
     * Reads as many rows of a file as possible.
     *
     * @return why not all could be read; null if all could
     */
    static String read(String path, Configuration hadoop, Set<String> columns, RowUse use) {
        try (LabelFile file = LabelFile.open(path, hadoop)) {
            file.forEach(columns, use::accept);
            return null;
        } catch (IOException | RuntimeException e) {
            return why(e);
        }
    }

    static String why(Exception e) {
        return e.getMessage() == null ? e.toString() : e.getMessage();
    }

    /** Returns a file's name without the path. */
    static String name(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }
}
