// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Types;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.Quarantined;
import org.potstill.spark.cache.RunFolders;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.storage.ParquetRows;
import scala.Tuple2;

/**
 * The folder of answers:
 *
 * <pre>
 * part-*.parquet                                       the conversations: the answers to the prompts of the last run, a corpus
 * _answers/teacher=…/sampling=…/rows/part-*.parquet    all answers ever written, keyed by content
 * _answers/teacher=…/sampling=…/provenance.json        their teacher and sampling
 * _answers/teacher=…/sampling=…/passes/*.json          one record for each run
 * _quarantine/                                         prompts that could not be answered, and why
 * </pre>
 *
 * <p>Files appear atomically under names derived from their rows, so that a run that is killed and repeated finds the finished ones.
 * Readers of a corpus ignore names that begin with {@code _}.
 */
final class AnswerStore implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final StructType MESSAGE = new StructType().add("role", DataTypes.StringType, false)
            .add("content", DataTypes.StringType)
            .add("tool_calls", DataTypes.StringType)
            .add("name", DataTypes.StringType)
            .add("tool_call_id", DataTypes.StringType);
    private static final StructType ANSWERS = new StructType()
            .add("id", DataTypes.StringType, false)
            .add("prompt", DataTypes.StringType, false)
            .add("document", DataTypes.StringType, false)
            .add("answer", DataTypes.IntegerType, false)
            .add("finish", DataTypes.StringType, false)
            .add("messages", DataTypes.createArrayType(MESSAGE, false), false)
            .add("tools", DataTypes.StringType)
            .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType, false), false);

    private static final String ROWS = "rows";

    private final String root;
    private final String answers;

    AnswerStore(String path, AnswerKeys keys) {
        this.root = path;
        this.answers = path + "/_answers/" + keys.folder();
    }

    /** Made where it is used, as it cannot be sent to executors. */
    private static MessageType schema() {
        return Types.buildMessage()
                .required(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("id")
                .required(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("prompt")
                .required(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("document")
                .required(PrimitiveTypeName.INT32).named("answer")
                .required(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("finish")
                .requiredList().requiredGroupElement()
                .required(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("role")
                .optional(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("content")
                .optional(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("tool_calls")
                .optional(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("name")
                .optional(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("tool_call_id")
                .named("messages")
                .optional(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("tools")
                .requiredList().requiredElement(PrimitiveTypeName.INT32).named("tokens")
                .named("answer");
    }

    HadoopFolder root(Configuration hadoop) {
        return new HadoopFolder("conversations", root, hadoop);
    }

    HadoopFolder answers(Configuration hadoop) {
        return new HadoopFolder("answers", answers, hadoop);
    }

    /** Writes answers, sorted by id, unless their file exists; returns its length in bytes. */
    long write(List<WrittenAnswer> rows, Configuration hadoop) {
        return answers(hadoop).folder(ROWS).create(name(rows), out -> write(rows, out, hadoop));
    }

    private static String name(List<WrittenAnswer> rows) {
        StringBuilder content = new StringBuilder();
        rows.forEach(row -> content.append(row.id()).append(row.document()).append('\n'));
        return "part-" + UUID.nameUUIDFromBytes(content.toString().getBytes(StandardCharsets.UTF_8)) + ".parquet";
    }

    private static void write(List<WrittenAnswer> rows, FSDataOutputStream out, Configuration hadoop) throws IOException {
        ParquetRows.write(out, hadoop, schema(), Set.of("document", "prompt", "finish"), Map.of(), rows.iterator(), (row, group) -> {
            group.append("id", row.id()).append("prompt", row.prompt()).append("document", row.document())
                    .append("answer", row.answer()).append("finish", row.finish());
            Group messages = group.addGroup("messages");
            for (Prompt.Message message : row.messages()) {
                Group element = messages.addGroup("list").addGroup("element").append("role", message.role());
                append(element, "content", message.content());
                append(element, "tool_calls", message.toolCalls());
                append(element, "name", message.name());
                append(element, "tool_call_id", message.toolCallId());
            }
            append(group, "tools", row.tools());
            Group tokens = group.addGroup("tokens");
            for (int token : row.tokens()) {
                tokens.addGroup("list").append("element", token);
            }
        });
    }

    private static void append(Group group, String name, String value) {
        if (value != null) {
            group.append(name, value);
        }
    }

    /** Returns all answers of this teacher and sampling; one that is in two files may come twice. */
    JavaRDD<WrittenAnswer> all(SparkSession spark) {
        return rows(spark).javaRDD().map(AnswerStore::answer);
    }

    /** Returns their ids. */
    JavaRDD<String> ids(SparkSession spark) {
        return rows(spark).select("id").as(Encoders.STRING()).javaRDD();
    }

    private Dataset<Row> rows(SparkSession spark) {
        boolean any = answers(spark.sparkContext().hadoopConfiguration()).folder(ROWS).names().stream().anyMatch(AnswerStore::isPart);
        return any ? LabelStore.read(spark, ANSWERS, answers + "/" + ROWS) : spark.createDataFrame(List.of(), ANSWERS);
    }

    private static boolean isPart(String name) {
        return name.startsWith("part-") && name.endsWith(".parquet");
    }

    private static WrittenAnswer answer(Row row) {
        List<Prompt.Message> messages = new ArrayList<>();
        row.<Row>getList(5).forEach(message -> messages.add(new Prompt.Message(message.getString(0), message.getString(1), message.getString(2),
                message.getString(3), message.getString(4))));
        return new WrittenAnswer(row.getString(0), row.getString(1), row.getString(2), row.getInt(3), row.getString(4), messages,
                row.getString(6), row.<Integer>getList(7).stream().mapToInt(Integer::intValue).toArray());
    }

    /**
     * Makes these answers the conversations, and removes the files of others.
     *
     * @param kept    each answer once
     * @param perFile answers per file, about
     * @return the number of bytes
     */
    long publish(JavaRDD<WrittenAnswer> kept, long count, int perFile, Broadcast<SerializableConfiguration> hadoop) {
        int files = Cluster.shards(count, perFile);
        AnswerStore self = this;
        // By content, so that the same answers are in the same files whatever the partitions.
        Map<String, Long> written = kept.mapToPair(row -> new Tuple2<>(Integer.parseInt(row.prompt().substring(0, 7), 16) % files, row))
                .groupByKey(files).values().mapToPair(bucket -> {
                    List<WrittenAnswer> rows = new ArrayList<>();
                    bucket.forEach(rows::add);
                    rows.sort(Comparator.comparing(WrittenAnswer::document).thenComparing(WrittenAnswer::prompt)
                            .thenComparing(WrittenAnswer::answer));
                    Configuration conf = hadoop.value().value();
                    String name = name(rows);
                    return new Tuple2<>(name, self.root(conf).create(name, out -> write(rows, out, conf)));
                }).collectAsMap();
        HadoopFolder folder = root(hadoop.value().value());
        folder.names().stream().filter(name -> isPart(name) && !written.containsKey(name)).forEach(folder::delete);
        return written.values().stream().mapToLong(Long::longValue).sum();
    }

    /** Replaces the contents of the quarantine; returns its path. */
    String quarantine(SparkSession spark, JavaRDD<Quarantined> unusable) {
        HadoopFolder folder = root(spark.sparkContext().hadoopConfiguration()).folder("_quarantine");
        return LabelStore.quarantine(spark, new RunFolders(folder), unusable);
    }
}
