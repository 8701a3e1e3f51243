// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.TableErrors;

/** The rows of a corpus that Spark reads: their text or conversation and, if the settings name it, their id, and no other column. */
final class TableRows {
    /** As in transformers 5, and as Parquet files are read. */
    private static final Map<String, String> WITHOUT_NULLS = Map.of("ignoreNullFields", "true");

    private final CorpusSource source;
    private final Reading reading;
    /** The columns of the conversations, in the order of the rows, and whether they are written as JSON; empty if the text is read. */
    private final Map<String, Boolean> conversation = new LinkedHashMap<>();
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
            for (String name : conversation(fields)) {
                TableColumn column = TableColumn.find(fields, name);
                conversation.put(name, column.isNested());
                columns.add(column.isNested() ? functions.to_json(column.of(all), WITHOUT_NULLS) : column.of(all).cast("string"));
            }
            if (columns.isEmpty()) {
                // As bytes: Spark puts U+FFFD in place of what is not UTF-8 when it makes a string.
                columns.add(TableColumn.text(fields, reading.textField()).of(all).cast("binary"));
            }
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

    /** Returns the columns of the conversations; empty if there is a text instead. */
    private List<String> conversation(StructType fields) throws Unreadable {
        return reading.conversations().in(path -> TableColumn.find(fields, path) != null, reading.textField(),
                () -> ParquetColumns.listed(List.of(fields.fieldNames())));
    }

    /** Returns the selected rows: the text's bytes, or the conversation's columns as text or JSON, and the id. */
    Dataset<Row> rows() {
        return rows;
    }

    /** @param part number of the {@link CorpusPart} that the rows are; 0 for none */
    JavaRDD<Document> documents(ReadCounts counts, long part) {
        String name = source.name();
        String setting = source.setting();
        Reading how = reading;
        Map<String, Boolean> names = conversation;
        return rows.toJavaRDD().mapPartitions(read -> new RowDocuments(read, how, names, name, setting, counts, part));
    }
}
