// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.internal.SessionState;

/** Access to the plans of Datasets and to the state of sessions, which differs between versions of Spark. */
public final class Plans {
    private Plans() {
    }

    /** Returns the analysed plan. */
    public static LogicalPlan of(Dataset<Row> rows) {
        return ((QueryExecution) get(rows, "queryExecution")).analyzed();
    }

    /** Returns what a session's queries are planned with. */
    public static SessionState state(SparkSession spark) {
        return (SessionState) get(spark, "sessionState");
    }

    /** Returns a table whose plan names files of any kind, for listeners that look at plans; the names of their folders are not columns. */
    public static Dataset<Row> files(SparkSession spark, String path) {
        return spark.read().format("binaryFile").option("recursiveFileLookup", "true").load(path);
    }

    private static Object get(Object from, String method) {
        try {
            // In Spark 4 it is a method of another class.
            return from.getClass().getMethod(method).invoke(from);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
