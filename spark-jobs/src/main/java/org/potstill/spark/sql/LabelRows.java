// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.sql;

import static org.apache.spark.sql.functions.call_function;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.cache.LabelStore;

/** The rows of a store for readers outside: one per key, without those that other files hold now, and decoded. */
public final class LabelRows {
    private final SparkSession spark;
    private final LabelStore store;

    public LabelRows(SparkSession spark, LabelStore store) {
        this.spark = spark;
        this.store = store;
    }

    /** Returns all rows as they are stored. */
    public Dataset<Row> stored() {
        return store.rows().drop(LabelStore.FILE).dropDuplicates("key");
    }

    /** Returns all rows with {@code distributions} in place of {@code targets}. */
    public Dataset<Row> decoded() {
        PotstillExtensions.register(spark);
        Column distributions = call_function(DecodeFunction.NAME, col("targets"), col("tokens"), lit(store.folder().path().toString()));
        return stored().select(col("document"), col("key"), col("tokens"), distributions.as("distributions"), col("teacher_loss"), col("teacher_entropy"));
    }

    /** Returns the decoded rows of the current snapshot's documents, by their places in these. */
    public Dataset<Row> ofCorpus() {
        Dataset<Row> rows = decoded().drop("document");
        Dataset<Row> places = store.snapshotTable().select("document", "sequence", "key");
        List<String> rest = List.of("sequence", "key", "tokens", "distributions", "teacher_loss", "teacher_entropy");
        return places.join(rows, "key").select("document", rest.toArray(String[]::new));
    }
}
