// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.FieldRepetitionType;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.SchemaElement;
import org.apache.parquet.format.Type;

/**
 * The columns of a Parquet file's footer. Columns that are not requested are removed from the footer, since this version of the
 * library may not know their types and codecs.
 */
final class ParquetColumns {
    private static final int NAMES = 12;

    private final FileMetaData footer;
    private final Node root;
    private int leaves;

    /** A column or a struct; leaves are numbered in the order of the row groups. */
    private record Node(SchemaElement element, List<Node> children, int leaf) {
        boolean isLeaf() {
            return leaf >= 0;
        }
    }

    ParquetColumns(FileMetaData footer) throws Unreadable {
        this.footer = footer;
        int[] next = {0};
        this.root = node(next, 0);
        if (next[0] != footer.getSchemaSize() || footer.getRow_groups().stream().anyMatch(group -> group.getColumnsSize() != leaves)) {
            throw new Unreadable("a damaged Parquet file: its schema and row groups do not match");
        }
    }

    private Node node(int[] next, int depth) throws Unreadable {
        if (next[0] >= footer.getSchemaSize() || depth > 200) {
            throw new Unreadable("a damaged Parquet file: its schema is incomplete");
        }
        SchemaElement element = footer.getSchema().get(next[0]++);
        if (element.isSetType()) {
            return new Node(element, List.of(), leaves++);
        }
        List<Node> children = new ArrayList<>();
        for (int i = 0; i < element.getNum_children(); i++) {
            children.add(node(next, depth + 1));
        }
        return new Node(element, children, -1);
    }

    /**
     * Finds a column.
     *
     * @param path a name, or names with dots between them; a name with a dot in it comes first
     * @return names from the outermost on; empty when there is none
     */
    List<String> find(String path) {
        List<Node> found = find(root, path);
        return found.stream().map(node -> node.element().getName()).toList();
    }

    private static List<Node> find(Node parent, String path) {
        for (Node child : parent.children()) {
            if (child.element().getName().equals(path)) {
                return List.of(child);
            }
        }
        for (Node child : parent.children()) {
            String name = child.element().getName();
            if (!child.isLeaf() && !isRepeated(child) && path.startsWith(name + ".")) {
                List<Node> within = find(child, path.substring(name.length() + 1));
                if (!within.isEmpty()) {
                    List<Node> all = new ArrayList<>(List.of(child));
                    all.addAll(within);
                    return all;
                }
            }
        }
        return List.of();
    }

    private static boolean isRepeated(Node node) {
        return node.element().getRepetition_type() == FieldRepetitionType.REPEATED;
    }

    /**
     * Checks that the requested columns exist and have supported types.
     *
     * @param file whose folders may hold the id
     * @return their paths
     */
    List<String> require(Reading reading, String file) throws Unreadable {
        List<String> columns = new ArrayList<>(conversation(reading));
        if (columns.isEmpty()) {
            requireText(reading.textField());
            columns.add(reading.textField());
        }
        if (!reading.idField().isEmpty() && (!find(reading.idField()).isEmpty() || PartitionFolder.value(file, reading.idField()).isEmpty())) {
            require("id", reading.idField());
            columns.add(reading.idField());
        }
        return columns;
    }

    /** Returns the columns of the conversations; empty if there is a text instead. */
    List<String> conversation(Reading reading) throws Unreadable {
        return reading.conversations().in(path -> !find(path).isEmpty(), reading.textField(), this::names);
    }

    private void requireText(String path) throws Unreadable {
        SchemaElement element = require("text", path);
        boolean text = element.getType() == Type.BYTE_ARRAY && (!element.isSetConverted_type() || switch (element.getConverted_type()) {
            case UTF8, ENUM, JSON -> true;
            default -> false;
        });
        if (!text) {
            throw new Unreadable("the text column '" + path + "' is of type " + describe(element) + ", not a string");
        }
    }

    private SchemaElement require(String what, String path) throws Unreadable {
        List<Node> found = find(root, path);
        if (found.isEmpty()) {
            throw new Unreadable("no " + what + " column '" + path + "': its columns are " + names());
        }
        Node column = found.get(found.size() - 1);
        if (!column.isLeaf() || isRepeated(column)) {
            throw new Unreadable("the " + what + " column '" + path + "' is " + (isRepeated(column) ? "a list" : kind(column))
                    + ", not a single value");
        }
        return column.element();
    }

    private static String kind(Node group) {
        if (group.element().isSetConverted_type()) {
            return "a " + group.element().getConverted_type().name().toLowerCase(Locale.ROOT);
        }
        return "a struct of " + String.join(", ", group.children().stream().map(child -> child.element().getName()).limit(NAMES).toList());
    }

    private static String describe(SchemaElement element) {
        if (element.isSetLogicalType() && element.getLogicalType().isSetUNKNOWN()) {
            return "null (no row has a value)";
        }
        return (element.getType() + (element.isSetConverted_type() ? " (" + element.getConverted_type() + ")" : "")).toLowerCase(Locale.ROOT);
    }

    /** Lists the names of the top-level columns. */
    String names() {
        return listed(root.children().stream().map(child -> child.element().getName()).toList());
    }

    /** Lists the first names, and says how many more there are. */
    static String listed(List<String> names) {
        return String.join(", ", names.subList(0, Math.min(NAMES, names.size())))
                + (names.size() > NAMES ? " and " + (names.size() - NAMES) + " more" : "");
    }

    /** Returns the footer with only the columns at these paths. */
    FileMetaData only(List<String> paths) throws Unreadable {
        Set<Node> kept = Collections.newSetFromMap(new IdentityHashMap<>());
        kept.add(root);
        for (String path : paths) {
            List<Node> found = find(root, path);
            kept.addAll(found);
            keepBelow(found.get(found.size() - 1), kept);
        }
        List<SchemaElement> schema = new ArrayList<>();
        List<Integer> columns = new ArrayList<>();
        collect(root, kept, schema, columns);
        List<RowGroup> groups = new ArrayList<>();
        for (RowGroup group : footer.getRow_groups()) {
            groups.add(only(group, columns));
        }
        FileMetaData pruned = new FileMetaData(footer.getVersion(), schema, footer.getNum_rows(), groups);
        pruned.setCreated_by(footer.getCreated_by());
        return pruned;
    }

    private static void keepBelow(Node node, Set<Node> kept) {
        kept.addAll(node.children());
        node.children().forEach(child -> keepBelow(child, kept));
    }

    private static void collect(Node node, Set<Node> kept, List<SchemaElement> schema, List<Integer> columns) {
        SchemaElement element = new SchemaElement(node.element());
        if (element.isSetLogicalType() && element.getLogicalType().getSetField() == null) {
            element.unsetLogicalType();
        }
        schema.add(element);
        if (node.isLeaf()) {
            columns.add(node.leaf());
            return;
        }
        List<Node> children = node.children().stream().filter(kept::contains).toList();
        element.setNum_children(children.size());
        children.forEach(child -> collect(child, kept, schema, columns));
    }

    private static RowGroup only(RowGroup group, List<Integer> columns) throws Unreadable {
        List<ColumnChunk> chunks = new ArrayList<>();
        for (int column : columns) {
            ColumnChunk chunk = group.getColumns().get(column);
            if (chunk.isSetFile_path() && !chunk.getFile_path().isEmpty()) {
                throw new Unreadable("a Parquet summary: its columns are in other files");
            } else if (chunk.isSetCrypto_metadata() || !chunk.isSetMeta_data()) {
                throw new Unreadable("an encrypted Parquet file");
            } else if (!chunk.getMeta_data().isSetCodec()) {
                throw new Unreadable("its columns are compressed with a codec that this version of Parquet does not know");
            }
            ColumnChunk plain = new ColumnChunk(chunk);
            plain.unsetColumn_index_offset();
            plain.unsetColumn_index_length();
            plain.unsetOffset_index_offset();
            plain.unsetOffset_index_length();
            plain.getMeta_data().unsetStatistics();
            plain.getMeta_data().unsetBloom_filter_offset();
            plain.getMeta_data().unsetKey_value_metadata();
            requireRoom(plain);
            chunks.add(plain);
        }
        return new RowGroup(chunks, group.getTotal_byte_size(), group.getNum_rows());
    }

    /** A row group's column is in memory as stored, and page by page as it was. */
    private static void requireRoom(ColumnChunk chunk) throws Unreadable {
        long stored = chunk.getMeta_data().getTotal_compressed_size();
        long whole = chunk.getMeta_data().getTotal_uncompressed_size();
        long heap = Runtime.getRuntime().maxMemory();
        if (stored < 0 || stored > Integer.MAX_VALUE || stored > heap / 2) {
            throw new Unreadable("a row group's column has " + stored + " bytes, more than there is memory for: write smaller row groups, or "
                    + "give executors more memory");
        } else if (whole / 500 > stored && whole > heap / 4) {
            throw new Unreadable("a row group's column has " + stored + " bytes that are to be " + whole + ": that is not text");
        }
    }
}
