// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.MessageColumnIO;
import org.apache.parquet.io.RecordReader;
import org.apache.parquet.schema.MessageType;
import org.potstill.spark.storage.ParquetRows;

/**
 * A reader of a single Parquet file of the cache, the counterpart of {@link ShardWriter}. Reading files one by one allows a damaged
 * file to be named and the others to be read.
 *
 * <p>On a damaged file Parquet may throw an {@link IOException} or any {@link RuntimeException}.
 */
public final class LabelFile implements AutoCloseable {
    /** Columns that identify and describe rows, without the soft targets, which make up most of the bytes. */
    public static final Set<String> STATISTICS = Set.of("key", "tokens", "teacher_loss", "teacher_entropy");
    public static final Set<String> KEYS = Set.of("key");
    public static final Set<String> ALL = Set.of(LabelStore.LABELS.fieldNames());

    private final ParquetFileReader reader;
    private final FileStatus status;

    private LabelFile(ParquetFileReader reader, FileStatus status) {
        this.reader = reader;
        this.status = status;
    }

    /**
     * Opens a file.
     *
     * @throws IOException or a RuntimeException if it is not a complete Parquet file with the cache's columns
     */
    public static LabelFile open(String path, Configuration hadoop) throws IOException {
        Path file = new Path(path);
        FileStatus status = file.getFileSystem(hadoop).getFileStatus(file);
        ParquetFileReader reader = ParquetFileReader.open(HadoopInputFile.fromStatus(status, hadoop));
        try {
            requireColumns(reader.getFileMetaData().getSchema());
        } catch (IOException | RuntimeException e) {
            reader.close();
            throw e;
        }
        return new LabelFile(reader, status);
    }

    private static void requireColumns(MessageType schema) throws IOException {
        for (ColumnDescriptor wanted : ShardWriter.SCHEMA.getColumns()) {
            String[] path = wanted.getPath();
            if (!schema.containsPath(path) || schema.getColumnDescription(path).getMaxRepetitionLevel() != wanted.getMaxRepetitionLevel()
                    || schema.getColumnDescription(path).getPrimitiveType().getPrimitiveTypeName()
                    != wanted.getPrimitiveType().getPrimitiveTypeName()) {
                throw new IOException("it has no column " + String.join(".", path) + " of the type "
                        + wanted.getPrimitiveType().getPrimitiveTypeName());
            }
        }
    }

    /** Returns the length of the file in bytes. */
    public long length() {
        return status.getLen();
    }

    /** Returns the modification time in milliseconds since 1970. */
    public long modified() {
        return status.getModificationTime();
    }

    public long rows() {
        return reader.getRecordCount();
    }

    /** Returns the number of tokens in all rows, according to the footer. */
    public long tokens() {
        return reader.getFooter().getBlocks().stream().flatMap(block -> block.getColumns().stream())
                .filter(chunk -> column(chunk).equals("tokens")).mapToLong(ColumnChunkMetaData::getValueCount).sum();
    }

    /** Returns the bytes on disk by column. */
    public Map<String, Long> columnBytes() {
        Map<String, Long> bytes = new TreeMap<>();
        for (BlockMetaData block : reader.getFooter().getBlocks()) {
            block.getColumns().forEach(chunk -> bytes.merge(column(chunk), chunk.getTotalSize(), Long::sum));
        }
        return bytes;
    }

    private static String column(ColumnChunkMetaData chunk) {
        return chunk.getPath().toArray()[0];
    }

    /** Returns the footer's metadata for a key; null if there is none. */
    public String said(String name) {
        return reader.getFileMetaData().getKeyValueMetaData().get(name);
    }

    /** Returns the library that wrote the file. */
    public String createdBy() {
        return String.valueOf(reader.getFileMetaData().getCreatedBy());
    }

    /**
     * Reads all rows.
     *
     * @param columns columns to read, {@link #ALL} or fewer; the others are empty or 0 in the rows
     */
    public void forEach(Set<String> columns, Consumer<LabelledSequence> use) throws IOException {
        MessageType whole = reader.getFileMetaData().getSchema();
        MessageType wanted = new MessageType(whole.getName(),
                whole.getFields().stream().filter(field -> columns.contains(field.getName())).toList());
        reader.setRequestedSchema(wanted);
        MessageColumnIO columnIo = new ColumnIOFactory().getColumnIO(wanted, whole);
        for (PageReadStore group = reader.readNextRowGroup(); group != null; group = reader.readNextRowGroup()) {
            RecordReader<Group> rows = columnIo.getRecordReader(group, new GroupRecordConverter(wanted));
            for (long i = 0; i < group.getRowCount(); i++) {
                use.accept(sequence(rows.read(), columns));
            }
        }
    }

    private static LabelledSequence sequence(Group row, Set<String> columns) {
        return new LabelledSequence(
                columns.contains("document") ? row.getString("document", 0) : "",
                columns.contains("key") ? row.getString("key", 0) : "",
                columns.contains("tokens") ? ParquetRows.ints(row, "tokens") : new int[0],
                columns.contains("targets") ? row.getBinary("targets", 0).getBytes() : new byte[0],
                columns.contains("teacher_loss") ? row.getFloat("teacher_loss", 0) : 0,
                columns.contains("teacher_entropy") ? row.getFloat("teacher_entropy", 0) : 0);
    }

    @Override
    public void close() throws IOException {
        reader.close();
    }
}
