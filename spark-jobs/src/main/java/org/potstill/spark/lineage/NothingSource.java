// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.lineage;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SQLContext;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.sources.BaseRelation;
import org.apache.spark.sql.sources.CreatableRelationProvider;
import org.apache.spark.sql.sources.RelationProvider;
import org.apache.spark.sql.types.StructType;
import org.potstill.spark.Plans;
import scala.collection.immutable.Map;

/**
 * A data source to which a write does nothing: what its path has, a job wrote before. Listeners see a write from what the plan reads to the
 * files at the path.
 */
public final class NothingSource implements CreatableRelationProvider, RelationProvider {
    /** Pretends to write. */
    @Override
    public BaseRelation createRelation(SQLContext context, SaveMode mode, Map<String, String> options, Dataset<Row> rows) {
        return new BaseRelation() {
            @Override
            public SQLContext sqlContext() {
                return context;
            }

            @Override
            public StructType schema() {
                return rows.schema();
            }
        };
    }

    /** Returns the files at the path, for listeners that ask what was written. */
    @Override
    public BaseRelation createRelation(SQLContext context, Map<String, String> options) {
        LogicalPlan plan = Plans.of(Plans.files(context.sparkSession(), options.get("path").get()));
        return ((LogicalRelation) plan.collectLeaves().head()).relation();
    }
}
