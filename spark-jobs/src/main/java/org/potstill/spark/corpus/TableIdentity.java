// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.PlanExpression;
import org.apache.spark.sql.catalyst.expressions.ScalaUDF;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.SubqueryAlias;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.Plans;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether rows of a table are the same whenever they are read: columns and conditions of a table in one version, and nothing that depends on
 * the time, the user or code.
 */
final class TableIdentity {
    private static final Logger LOG = LoggerFactory.getLogger(TableIdentity.class);
    /** Bytes of a Delta commit that are compared: its unique names of files are among them. */
    private static final int COMMIT_BYTES = 1 << 20;
    private static final String EXPRESSIONS = "org.apache.spark.sql.catalyst.expressions.";

    private TableIdentity() {
    }

    /** Identifies a table's content; empty if it has no version, or if the rows depend on anything else. */
    static Optional<String> of(Dataset<Row> rows, Configuration hadoop) {
        try {
            LogicalPlan plan = Plans.of(rows);
            SortedMap<String, String> versions = new TreeMap<>(TableVersions.of(rows));
            LogicalPlan leaf = onlyLeaf(plan);
            if (leaf == null || versions.size() != 1) {
                return Optional.empty();
            }
            if (leaf instanceof LogicalRelation read && read.relation() instanceof HadoopFsRelation files) {
                // A table that was made anew begins with version 0 again.
                versions.put("commit", commit(files.location().rootPaths().head(), versions.get(versions.firstKey()), hadoop));
            }
            var state = rows.sparkSession().conf();
            return Optional.of(versions + " " + state.get("spark.sql.session.timeZone") + " " + state.get("spark.sql.ansi.enabled"));
        } catch (IOException | RuntimeException e) {
            LOG.debug("cannot identify a table", e);
            return Optional.empty();
        }
    }

    /** Returns the leaf of a plan that only selects columns and rows; null if there is more in it. */
    private static LogicalPlan onlyLeaf(LogicalPlan plan) {
        if (!hasOnlyColumns(plan)) {
            return null;
        }
        var children = plan.children().iterator();
        if (!children.hasNext()) {
            return plan;
        }
        return plan instanceof Project || plan instanceof Filter || plan instanceof SubqueryAlias ? onlyLeaf(children.next()) : null;
    }

    private static boolean hasOnlyColumns(LogicalPlan plan) {
        for (var all = plan.expressions().iterator(); all.hasNext();) {
            if (!isOfColumns(all.next())) {
                return false;
            }
        }
        return true;
    }

    /** Whether an expression depends on columns and constants alone: leaves such as {@code current_date()} do not. */
    private static boolean isOfColumns(Expression expression) {
        var children = expression.children().iterator();
        boolean isLeaf = !children.hasNext();
        if (!expression.deterministic() || !expression.getClass().getName().startsWith(EXPRESSIONS) || expression instanceof ScalaUDF
                || expression instanceof PlanExpression<?> || isLeaf && !(expression instanceof Literal) && !(expression instanceof AttributeReference)) {
            return false;
        }
        while (children.hasNext()) {
            if (!isOfColumns(children.next())) {
                return false;
            }
        }
        return true;
    }

    private static String commit(Path table, String version, Configuration hadoop) throws IOException {
        Path commit = new Path(table, String.format(Locale.ROOT, "_delta_log/%020d.json", Long.parseLong(version.substring(version.indexOf(' ') + 1))));
        try (InputStream in = commit.getFileSystem(hadoop).open(commit)) {
            return Sha256.of(new String(in.readNBytes(COMMIT_BYTES), StandardCharsets.ISO_8859_1));
        }
    }
}
