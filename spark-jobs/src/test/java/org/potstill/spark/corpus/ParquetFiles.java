// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;

/** Writes small Parquet files. */
final class ParquetFiles {
    private ParquetFiles() {
    }

    /** One with a column of that name, text. */
    static void write(Path file, String... texts) {
        write(file, "message m { optional binary text (STRING); }", CompressionCodecName.SNAPPY,
                Arrays.stream(texts).<Consumer<Group>>map(text -> group -> group.append("text", text)).toList());
    }

    /** One row for each that fills it. */
    static void write(Path file, String schema, CompressionCodecName codec, List<Consumer<Group>> rows) {
        MessageType type = MessageTypeParser.parseMessageType(schema);
        try {
            // Hadoop's local files cannot have all the names that files can.
            Path plain = Files.createTempDirectory("parquet").resolve("a.parquet");
            try (ParquetWriter<Group> writer = ExampleParquetWriter.builder(new org.apache.hadoop.fs.Path(plain.toUri())).withType(type)
                    .withCompressionCodec(codec).withRowGroupSize(2000L).withPageRowCountLimit(20).build()) {
                for (Consumer<Group> row : rows) {
                    Group group = new SimpleGroupFactory(type).newGroup();
                    row.accept(group);
                    writer.write(group);
                }
            }
            Files.createDirectories(file.getParent());
            Files.move(plain, file, StandardCopyOption.REPLACE_EXISTING);
            Files.delete(plain.resolveSibling(".a.parquet.crc"));
            Files.delete(plain.getParent());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
