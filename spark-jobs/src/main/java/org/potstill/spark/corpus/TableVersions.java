// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2Relation;
import org.potstill.spark.Plans;

/** The versions of the tables that a Dataset reads, as far as its plan tells them: of Delta tables and Iceberg's snapshots. */
final class TableVersions {
    /** How Delta's listing of files describes itself. */
    private static final Pattern DELTA = Pattern.compile("Delta\\[version=(\\d+), (.*)\\]");

    private TableVersions() {
    }

    /** Returns versions by the table's name, or its path if it has none. */
    static SortedMap<String, String> of(Dataset<Row> rows) {
        SortedMap<String, String> versions = new TreeMap<>();
        var leaves = Plans.of(rows).collectLeaves().iterator();
        while (leaves.hasNext()) {
            LogicalPlan leaf = leaves.next();
            if (leaf instanceof LogicalRelation read && read.relation() instanceof HadoopFsRelation files) {
                Matcher delta = DELTA.matcher(files.location().toString());
                if (delta.matches()) {
                    versions.put(read.catalogTable().isDefined() ? read.catalogTable().get().identifier().unquotedString() : delta.group(2),
                            "version " + delta.group(1));
                }
            } else if (leaf instanceof DataSourceV2Relation read) {
                snapshot(read.table()).ifPresent(snapshot -> versions.put(read.name(), "snapshot " + snapshot));
            }
        }
        return versions;
    }

    /** Finds the snapshot of an Iceberg table: the one that was asked for, else the current one. */
    private static Optional<String> snapshot(Table table) {
        try {
            Object asked = table.getClass().getMethod("snapshotId").invoke(table);
            if (asked != null) {
                return Optional.of(asked.toString());
            }
        } catch (ReflectiveOperationException e) {
            // Not Iceberg's, or without time travel.
        }
        return Optional.ofNullable(table.properties().get("current-snapshot-id"));
    }
}
