// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.sql;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;

import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.potstill.errors.UserException;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.errors.TableErrors;

/**
 * An export of soft labels to a table that the session knows. Labels never change, so that an existing table gets the rows whose keys it
 * lacks. The table has the columns of the cache and, before them, {@code teacher}, a fingerprint, and {@code spec}.
 */
public final class TableExport {
    private final SparkSession spark;
    private final String table;
    private final String format;
    private final boolean decoded;

    /**
     * @param table   its name, with or without a catalog and a schema
     * @param format  of a new table: delta, iceberg or another that the session knows; empty for its catalog's own
     * @param decoded whether it has {@code distributions}, see {@link DecodeFunction}, instead of {@code targets}
     */
    public TableExport(SparkSession spark, String table, String format, boolean decoded) {
        this.spark = spark;
        this.table = table;
        this.format = format;
        this.decoded = decoded;
    }

    /**
     * Writes what the table lacks.
     *
     * @return rows written
     * @throws UserException if Spark cannot write the table, or it has other columns
     */
    public long write(List<LabelStore> stores) {
        try {
            Dataset<Row> all = stores.stream().map(this::rows).reduce(Dataset::union).orElseThrow();
            if (!spark.catalog().tableExists(table)) {
                var writer = all.writeTo(table);
                (format.isEmpty() ? writer : writer.using(format)).create();
                return spark.table(table).count();
            }
            Dataset<Row> there = spark.table(table);
            requireColumns(all, there);
            long before = there.count();
            all.join(there.select("key"), "key", "left_anti").select(columns(there)).write().insertInto(table);
            return spark.table(table).count() - before;
        } catch (UserException e) {
            throw e;
        } catch (Exception | LinkageError e) {
            // Spark's analyser throws checked exceptions that it does not declare.
            throw TableErrors.unwritable(table, e);
        }
    }

    private Dataset<Row> rows(LabelStore store) {
        LabelRows rows = new LabelRows(spark, store);
        return (decoded ? rows.decoded() : rows.stored())
                .select(lit(store.labels().teacher()).as("teacher"), lit(store.labels().spec().name()).as("spec"), col("*"));
    }

    private void requireColumns(Dataset<Row> ours, Dataset<Row> theirs) {
        List<String> wanted = List.of(ours.columns());
        List<String> held = List.of(theirs.columns());
        if (!new TreeSet<>(wanted).equals(new TreeSet<>(held))) {
            throw TableErrors.otherColumns(table, held, wanted);
        }
    }

    /** Returns columns in the table's order, by which Spark inserts them. */
    private static Column[] columns(Dataset<Row> there) {
        return Arrays.stream(there.columns()).map(name -> col("`" + name + "`")).toArray(Column[]::new);
    }

    /**
     * Checks that the table's name outlives the session.
     *
     * @throws UserException if it is in a catalog that is kept in memory
     */
    public void requireKept() {
        String catalog = table.matches("[^.`]+\\.[^.`]+\\..+") ? table.substring(0, table.indexOf('.')) : spark.catalog().currentCatalog();
        if (catalog.equals("spark_catalog") && spark.conf().get("spark.sql.catalogImplementation").equals("in-memory")) {
            throw TableErrors.forgottenTable(table);
        }
    }
}
