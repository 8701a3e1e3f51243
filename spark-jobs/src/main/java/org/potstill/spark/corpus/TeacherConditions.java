// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.potstill.spark.errors.TableErrors;

/**
 * The conditions that say which teacher scores a row.
 *
 * @param conditions SQL by the teacher's name
 */
record TeacherConditions(CorpusSource source, SortedMap<String, String> conditions) {
    /** See {@link Corpus#countByConditions}. Only the columns of the conditions are read. */
    Map<List<String>, Long> count(SparkSession spark) {
        Dataset<Row> rows = read(source.setting(), () -> source.load(spark));
        // One by one, so that a message can name the one that is wrong.
        conditions.forEach((name, where) -> read("teachers." + name + ".where", () -> rows.where(where)));
        Column[] held = conditions.entrySet().stream().map(teacher -> functions.when(functions.expr(teacher.getValue()), functions.lit(teacher.getKey())))
                .toArray(Column[]::new);
        Map<List<String>, Long> counts = new HashMap<>();
        read(source.setting(), () -> rows.groupBy(functions.concat_ws(",", held)).count().collectAsList()).forEach(row ->
                counts.put(row.getString(0).isEmpty() ? List.of() : List.of(row.getString(0).split(",")), row.getLong(1)));
        return counts;
    }

    private interface Step<T> {
        T take() throws Exception;
    }

    private <T> T read(String setting, Step<T> step) {
        try {
            return step.take();
        } catch (Exception | LinkageError e) {
            throw TableErrors.unreadable(source.name(), setting, e);
        }
    }
}
