// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.storage;

import java.io.IOException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.parquet.column.ParquetProperties;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.PositionOutputStream;
import org.apache.parquet.schema.MessageType;

/** The content of a Parquet file, written row by row to an open stream. */
public final class ParquetRows {
    /** Row group size: a writer's memory, and the minimum that a reader's task takes. */
    private static final int ROW_GROUP_BYTES = 32 << 20;
    private static final String LIST = "list";
    private static final String ELEMENT = "element";

    private ParquetRows() {
    }

    /** Fills a row. */
    public interface Columns<T> {
        void fill(T row, Group group);
    }

    /** Writes rows in pages of Parquet's usual size, see {@link #write(FSDataOutputStream, Configuration, MessageType, Set, Map, int, Iterator, Columns)}. */
    public static <T> void write(FSDataOutputStream out, Configuration hadoop, MessageType schema, Set<String> repeating,
            Map<String, String> about, Iterator<T> rows, Columns<T> columns) throws IOException {
        write(out, hadoop, schema, repeating, about, ParquetProperties.DEFAULT_PAGE_ROW_COUNT_LIMIT, rows, columns);
    }

    /**
     * Writes rows, compressed by zstd.
     *
     * @param repeating   columns that get a dictionary
     * @param about       metadata of the file
     * @param rowsPerPage maximum number of rows in a page, the unit of reading by a filter
     */
    public static <T> void write(FSDataOutputStream out, Configuration hadoop, MessageType schema, Set<String> repeating,
            Map<String, String> about, int rowsPerPage, Iterator<T> rows, Columns<T> columns) throws IOException {
        ExampleParquetWriter.Builder builder = ExampleParquetWriter.builder(new OpenStream(out))
                .withConf(hadoop)
                .withType(schema)
                .withCompressionCodec(CompressionCodecName.ZSTD)
                .withRowGroupSize((long) ROW_GROUP_BYTES)
                .withPageRowCountLimit(rowsPerPage)
                .withDictionaryEncoding(false)
                .withExtraMetaData(about);
        repeating.forEach(column -> builder.withDictionaryEncoding(column, true));
        try (ParquetWriter<Group> writer = builder.build()) {
            SimpleGroupFactory groups = new SimpleGroupFactory(schema);
            while (rows.hasNext()) {
                Group group = groups.newGroup();
                columns.fill(rows.next(), group);
                writer.write(group);
            }
        }
    }

    /** Adds a list of integers to a row: a column that {@code requiredList().requiredElement(INT32)} made. */
    public static void putInts(Group row, String column, int[] values) {
        Group list = row.addGroup(column);
        for (int value : values) {
            list.addGroup(LIST).append(ELEMENT, value);
        }
    }

    /** Reads a list that {@link #putInts} added. */
    public static int[] ints(Group row, String column) {
        Group list = row.getGroup(column, 0);
        int[] values = new int[list.getFieldRepetitionCount(0)];
        Arrays.setAll(values, i -> list.getGroup(0, i).getInteger(0, 0));
        return values;
    }

    /** Output that ignores Parquet's close: Parquet also closes a file, with a footer, after a failure to read a row. */
    private record OpenStream(FSDataOutputStream out) implements OutputFile {
        @Override
        public PositionOutputStream create(long blockSize) {
            return new PositionOutputStream() {
                @Override
                public long getPos() {
                    return out.getPos();
                }

                @Override
                public void write(int b) throws IOException {
                    out.write(b);
                }

                @Override
                public void write(byte[] bytes, int begin, int length) throws IOException {
                    out.write(bytes, begin, length);
                }
            };
        }

        @Override
        public PositionOutputStream createOrOverwrite(long blockSize) {
            return create(blockSize);
        }

        @Override
        public boolean supportsBlockSize() {
            return false;
        }

        @Override
        public long defaultBlockSize() {
            return 0;
        }
    }
}
