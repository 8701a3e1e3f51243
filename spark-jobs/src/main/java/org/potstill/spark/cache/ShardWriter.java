package org.potstill.spark.cache;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.hadoop.util.HadoopOutputFile;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Types;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.spark.JobErrors;

/**
 * Writes one Parquet file of the cache on an executor and makes it visible once it is whole. The file is named after
 * the keys in it: a retried or speculative task writes the same file again.
 */
public final class ShardWriter {
    static final MessageType SCHEMA = Types.buildMessage()
            .required(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("document")
            .required(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.stringType()).named("key")
            .requiredList().requiredElement(PrimitiveTypeName.INT32).named("tokens")
            .required(PrimitiveTypeName.BINARY).named("targets")
            .required(PrimitiveTypeName.FLOAT).named("teacher_loss")
            .required(PrimitiveTypeName.FLOAT).named("teacher_entropy")
            .named("labelled_sequence");

    private final Path labels;
    private final Labels provenance;
    private final Configuration hadoop;

    public ShardWriter(String labelsPath, Labels provenance, Configuration hadoop) {
        this.labels = new Path(labelsPath);
        this.provenance = provenance;
        this.hadoop = hadoop;
    }

    /** @return the number of bytes written */
    public long write(List<LabelledSequence> rows) {
        List<LabelledSequence> sorted = new ArrayList<>(rows);
        sorted.sort((a, b) -> a.key().compareTo(b.key()));
        StringBuilder keys = new StringBuilder();
        sorted.forEach(row -> keys.append(row.key()));
        String name = UUID.nameUUIDFromBytes(keys.toString().getBytes(java.nio.charset.StandardCharsets.US_ASCII)).toString();
        Path target = new Path(labels, "part-" + name + ".parquet");
        Path incoming = new Path(labels, "_incoming-" + UUID.randomUUID() + ".parquet");
        try {
            FileSystem fs = labels.getFileSystem(hadoop);
            try {
                writeFile(sorted, incoming);
                if (!fs.rename(incoming, target) && !fs.exists(target)) {
                    throw new IOException("cannot rename " + incoming + " to " + target);
                }
                return fs.getFileStatus(target).getLen();
            } finally {
                fs.delete(incoming, false);
            }
        } catch (IOException e) {
            throw JobErrors.unwritable("soft labels", target.toString(), e);
        }
    }

    private void writeFile(List<LabelledSequence> rows, Path file) throws IOException {
        try (ParquetWriter<Group> writer = ExampleParquetWriter.builder(HadoopOutputFile.fromPath(file, hadoop))
                .withType(SCHEMA)
                .withCompressionCodec(CompressionCodecName.ZSTD)
                .withExtraMetaData(Map.of(
                        "potstill.format", String.valueOf(SoftTargetsCodec.VERSION),
                        "potstill.teacher", provenance.teacher(),
                        "potstill.tokenizer", provenance.tokenizer(),
                        "potstill.spec", provenance.spec().name()))
                .build()) {
            SimpleGroupFactory groups = new SimpleGroupFactory(SCHEMA);
            for (LabelledSequence row : rows) {
                Group group = groups.newGroup().append("document", row.document()).append("key", row.key());
                Group tokens = group.addGroup("tokens");
                for (int token : row.tokens()) {
                    tokens.addGroup("list").append("element", token);
                }
                group.append("targets", Binary.fromConstantByteArray(row.targets())).append("teacher_loss", row.teacherLoss())
                        .append("teacher_entropy", row.teacherEntropy());
                writer.write(group);
            }
        }
    }
}
