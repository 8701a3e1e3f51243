// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.QueryExecution;

/** Access to the plans of Datasets, which differs between versions of Spark. */
public final class Plans {
    private Plans() {
    }

    /** Returns the analysed plan. */
    public static LogicalPlan of(Dataset<Row> rows) {
        try {
            // In Spark 4 it is a method of another class.
            return ((QueryExecution) rows.getClass().getMethod("queryExecution").invoke(rows)).analyzed();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
