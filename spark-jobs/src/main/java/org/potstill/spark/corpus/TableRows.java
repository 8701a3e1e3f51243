// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.TableErrors;

/** The rows of a corpus that Spark reads: their text and, if the settings name it, their id, and no other column. */
final class TableRows {
    private final CorpusSource source;
    private final Reading reading;
    private final Dataset<Row> rows;

    /** @throws UserException if Spark cannot find or understand the source, or it lacks a column */
    TableRows(SparkSession spark, CorpusSource source, Reading reading) {
        this.source = source;
        this.reading = reading;
        this.rows = select(spark);
    }

    private Dataset<Row> select(SparkSession spark) {
        try {
            Dataset<Row> all = source.load(spark);
            StructType fields = all.schema();
            List<Column> columns = new ArrayList<>();
            // As bytes: Spark puts U+FFFD in place of what is not UTF-8 when it makes a string.
            columns.add(TableColumn.text(fields, reading.textField()).of(all).cast("binary"));
            if (!reading.idField().isEmpty()) {
                columns.add(TableColumn.id(fields, reading.idField()).of(all));
            }
            return all.select(columns.toArray(Column[]::new));
        } catch (Unreadable e) {
            throw CorpusErrors.noSuchColumn(source.name(), reading.named(), e.getMessage());
        } catch (Exception | LinkageError e) {
            // Spark's analyser throws checked exceptions that it does not declare.
            throw TableErrors.unreadable(source.name(), source.setting(), e);
        }
    }

    /** Returns the selected rows: the text's bytes and the id. */
    Dataset<Row> rows() {
        return rows;
    }

    JavaRDD<Document> documents(ReadCounts counts) {
        String name = source.name();
        String setting = source.setting();
        Reading how = reading;
        return rows.toJavaRDD().mapPartitions(part -> new RowDocuments(part, how, name, setting, counts));
    }
}
