// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.MessageColumnIO;
import org.apache.parquet.io.RecordReader;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DecimalLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.IntLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;

/** Reads the rows of a Parquet file: those of the row groups that begin in the piece, and of them only the columns that are needed. */
final class ParquetRowReader implements DocumentReader {
    private final Piece piece;
    private final Reading reading;
    private final ParquetFileReader file;
    private final List<String> text;
    private final List<String> id;
    /** Paths of the columns that make up a conversation, by name; empty if the text is read. */
    private final Map<String, List<String>> conversation = new HashMap<>();
    private final MessageColumnIO columns;
    private int group = -1;
    private long row;
    private long groupEnd;
    private RecordReader<Group> rows;

    private ParquetRowReader(Piece piece, Reading reading, ParquetFileReader file, ParquetColumns columns) throws Unreadable {
        this.piece = piece;
        this.reading = reading;
        this.file = file;
        this.text = columns.find(reading.textField());
        this.id = columns.find(reading.idField());
        columns.conversation(reading).forEach(name -> conversation.put(name, columns.find(name)));
        this.columns = new ColumnIOFactory().getColumnIO(schema());
    }

    static DocumentReader open(Piece piece, Reading reading, Configuration hadoop) throws IOException {
        ParquetColumns columns = ParquetSource.columns(piece.file(), hadoop);
        ParquetSource source = ParquetSource.of(piece.file(), hadoop, columns, columns.require(reading, piece.file().path()));
        ParquetFileReader file = new ParquetFileReader(source, HadoopReadOptions.builder(hadoop).usePageChecksumVerification(true)
                .withCodecFactory(new BoundedCodecs(hadoop, reading.maxBytes())).build());
        return new ParquetRowReader(piece, reading, file, columns);
    }

    private MessageType schema() {
        return file.getFileMetaData().getSchema();
    }

    @Override
    public Document next() throws IOException {
        while (rows == null || row == groupEnd) {
            if (!nextGroup()) {
                return null;
            }
        }
        try {
            Group record = rows.read();
            String place = PartitionFolder.value(piece.file().path(), reading.idField()).orElse(piece.file().path() + ":" + row);
            row++;
            Optional<String> name = id.isEmpty() ? Optional.empty() : innermost(record, id).map(within -> value(within, last(id), 0));
            return conversation.isEmpty() ? document(name.orElse(place), innermost(record, text)) : conversation(name.orElse(place), record);
        } catch (RuntimeException e) {
            throw new Unreadable("its row " + row + " cannot be read, nor those after it: " + Unreadable.why(e), e);
        }
    }

    private boolean nextGroup() throws IOException {
        List<BlockMetaData> groups = file.getFooter().getBlocks();
        row = groupEnd;
        while (++group < groups.size()) {
            BlockMetaData next = groups.get(group);
            groupEnd = row + next.getRowCount();
            if (next.getRowCount() > 0 && piece.holds(next.getStartingPos())) {
                rows = open(next);
                return true;
            }
            row = groupEnd;
        }
        rows = null;
        return false;
    }

    private RecordReader<Group> open(BlockMetaData next) throws IOException {
        try {
            PageReadStore pages = file.readRowGroup(group);
            return columns.getRecordReader(pages, new GroupRecordConverter(schema()));
        } catch (RuntimeException e) {
            ColumnChunkMetaData column = next.getColumns().get(0);
            throw new Unreadable("its rows from " + row + " on, compressed with " + column.getCodec() + ", cannot be read: "
                    + Unreadable.why(e), e);
        }
    }

    private Document document(String name, Optional<Group> within) {
        if (within.isEmpty()) {
            return Document.unusable(name, "the text is null");
        }
        byte[] bytes = within.get().getBinary(last(text), 0).getBytesUnsafe();
        return bytes.length > reading.maxBytes() ? Document.tooLong(name, bytes.length, reading.maxBytes())
                : Utf8.document(name, bytes, 0, bytes.length);
    }

    private Document conversation(String name, Group record) {
        JsonTree tree = new JsonTree();
        ParquetTree reader = new ParquetTree(tree);
        Map<String, JsonNode> values = new HashMap<>();
        conversation.forEach((column, path) -> values.put(column, reader.read(record, path)));
        return reading.conversations().document(name, values::get, tree, reading.maxBytes()).orElseGet(() -> Document.unusable(name, "the conversation is null"));
    }

    private static String last(List<String> path) {
        return path.get(path.size() - 1);
    }

    /** Finds the group that holds the value at a path; empty if the value, or a group around it, is null. */
    private static Optional<Group> innermost(Group record, List<String> path) {
        Group within = record;
        for (int i = 0; i < path.size(); i++) {
            if (within.getFieldRepetitionCount(path.get(i)) == 0) {
                return Optional.empty();
            }
            within = i == path.size() - 1 ? within : within.getGroup(path.get(i), 0);
        }
        return Optional.of(within);
    }

    /** Returns a value as text. */
    static String value(Group group, String name, int index) {
        LogicalTypeAnnotation type = group.getType().getType(name).getLogicalTypeAnnotation();
        return switch (group.getType().getType(name).asPrimitiveType().getPrimitiveTypeName()) {
            case INT32 -> integer(group.getInteger(name, index), type);
            case INT64 -> integer(group.getLong(name, index), type);
            case BINARY, FIXED_LEN_BYTE_ARRAY -> type instanceof DecimalLogicalTypeAnnotation decimal
                    ? new BigDecimal(new BigInteger(group.getBinary(name, index).getBytes()), decimal.getScale()).toPlainString()
                    : type instanceof LogicalTypeAnnotation.UUIDLogicalTypeAnnotation ? uuid(group.getBinary(name, index).getBytes())
                    : group.getBinary(name, index).toStringUsingUTF8();
            default -> group.getValueToString(group.getType().getFieldIndex(name), index);
        };
    }

    private static String uuid(byte[] bytes) {
        ByteBuffer halves = ByteBuffer.wrap(bytes);
        return new UUID(halves.getLong(), halves.getLong()).toString();
    }

    private static String integer(long value, LogicalTypeAnnotation type) {
        if (type instanceof DecimalLogicalTypeAnnotation decimal) {
            return BigDecimal.valueOf(value, decimal.getScale()).toPlainString();
        } else if (type instanceof LogicalTypeAnnotation.DateLogicalTypeAnnotation) {
            return LocalDate.ofEpochDay(value).toString();
        } else if (type instanceof TimestampLogicalTypeAnnotation timestamp) {
            return Instant.EPOCH.plus(value, switch (timestamp.getUnit()) {
                case MILLIS -> ChronoUnit.MILLIS;
                case MICROS -> ChronoUnit.MICROS;
                case NANOS -> ChronoUnit.NANOS;
            }).toString();
        } else if (type instanceof IntLogicalTypeAnnotation integer && !integer.isSigned()) {
            return integer.getBitWidth() == 64 ? Long.toUnsignedString(value) : String.valueOf(value & 0xffff_ffffL);
        }
        return String.valueOf(value);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
