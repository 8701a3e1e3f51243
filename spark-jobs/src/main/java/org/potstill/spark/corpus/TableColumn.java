// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A column, or a field of a struct.
 *
 * @param names from the outermost on, as the table spells them
 * @param type  of its values
 */
record TableColumn(List<String> names, DataType type) {
    /**
     * Finds a column.
     *
     * @param path a name, or names with dots between them; a name with a dot in it takes precedence, and so does the user's spelling
     * @return null if there is none
     */
    static TableColumn find(StructType fields, String path) {
        TableColumn exact = find(fields, path, false);
        return exact == null ? find(fields, path, true) : exact;
    }

    private static TableColumn find(StructType fields, String path, boolean ignoreCase) {
        for (StructField field : fields.fields()) {
            if (ignoreCase ? field.name().equalsIgnoreCase(path) : field.name().equals(path)) {
                return new TableColumn(List.of(field.name()), field.dataType());
            }
        }
        for (StructField field : fields.fields()) {
            String begin = field.name() + ".";
            if (field.dataType() instanceof StructType inner && path.regionMatches(ignoreCase, 0, begin, 0, begin.length())) {
                TableColumn found = find(inner, path.substring(begin.length()), ignoreCase);
                if (found != null) {
                    List<String> names = new ArrayList<>(List.of(field.name()));
                    names.addAll(found.names);
                    return new TableColumn(names, found.type);
                }
            }
        }
        return null;
    }

    /** Finds the column of the text. */
    static TableColumn text(StructType fields, String path) throws Unreadable {
        TableColumn column = require(fields, "text", path);
        if (!(column.type instanceof StringType || column.type instanceof BinaryType)) {
            throw new Unreadable("the text column '" + path + "' is of type " + column.type.simpleString() + ", not a string");
        }
        return column;
    }

    /** Finds the column of the id. */
    static TableColumn id(StructType fields, String path) throws Unreadable {
        TableColumn column = require(fields, "id", path);
        if (column.isNested()) {
            throw new Unreadable("the id column '" + path + "' is of type " + column.type.simpleString() + ", not a single value");
        }
        return column;
    }

    static TableColumn require(StructType fields, String what, String path) throws Unreadable {
        TableColumn column = find(fields, path);
        if (column == null) {
            throw new Unreadable("no " + what + " column '" + path + "': its columns are "
                    + ParquetColumns.listed(List.of(fields.fieldNames())));
        }
        return column;
    }

    boolean isNested() {
        return type instanceof StructType || type instanceof ArrayType || type instanceof MapType;
    }

    Column of(Dataset<Row> rows) {
        return rows.col(names.stream().map(name -> "`" + name.replace("`", "``") + "`").collect(Collectors.joining(".")));
    }
}
