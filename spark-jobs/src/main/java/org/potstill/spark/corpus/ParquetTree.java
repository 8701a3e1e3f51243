// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.Type;

/**
 * A builder of trees from Parquet's groups: structs, lists and maps, these also in the layouts of older writers (the format's
 * "LogicalTypes", backward compatibility). A struct's null members are left out, as Parquet cannot tell them from missing ones.
 */
final class ParquetTree {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private final JsonTree tree;

    ParquetTree(JsonTree tree) {
        this.tree = tree;
    }

    /** Returns a column's value; a JSON null if it has none. */
    JsonNode read(Group record, List<String> path) {
        Group within = record;
        for (String name : path.subList(0, path.size() - 1)) {
            if (within.getFieldRepetitionCount(name) == 0) {
                return NODES.nullNode();
            }
            within = within.getGroup(name, 0);
        }
        return field(within, path.get(path.size() - 1), 0);
    }

    private JsonNode field(Group group, String name, int depth) {
        Type type = group.getType().getType(name);
        int count = group.getFieldRepetitionCount(name);
        if (!type.isRepetition(Type.Repetition.REPEATED)) {
            return count == 0 ? NODES.nullNode() : value(group, name, 0, depth);
        }
        ArrayNode items = NODES.arrayNode();
        for (int i = 0; i < count; i++) {
            items.add(value(group, name, i, depth + 1));
        }
        return items;
    }

    private JsonNode value(Group group, String name, int index, int depth) {
        Type type = group.getType().getType(name);
        tree.count(depth);
        if (tree.problem() != null) {
            return NODES.missingNode();
        }
        if (type.isPrimitive()) {
            return scalar(group, name, index);
        }
        Group inner = group.getGroup(name, index);
        LogicalTypeAnnotation kind = type.getLogicalTypeAnnotation();
        if (kind instanceof LogicalTypeAnnotation.ListLogicalTypeAnnotation) {
            return list(inner, name, depth);
        }
        if (kind instanceof LogicalTypeAnnotation.MapLogicalTypeAnnotation || kind instanceof LogicalTypeAnnotation.MapKeyValueTypeAnnotation) {
            return map(inner, depth);
        }
        ObjectNode members = NODES.objectNode();
        for (Type member : inner.getType().getFields()) {
            JsonNode value = field(inner, member.getName(), depth + 1);
            if (!value.isNull()) {
                members.set(member.getName(), value);
            }
        }
        return members;
    }

    private ArrayNode list(Group list, String name, int depth) {
        Type repeated = list.getType().getType(0);
        boolean isElement = repeated.isPrimitive() || repeated.asGroupType().getFieldCount() != 1
                || repeated.getName().equals("array") || repeated.getName().equals(name + "_tuple");
        ArrayNode items = NODES.arrayNode();
        for (int i = 0; i < list.getFieldRepetitionCount(0); i++) {
            if (isElement) {
                items.add(value(list, repeated.getName(), i, depth + 1));
            } else {
                items.add(field(list.getGroup(0, i), repeated.asGroupType().getFieldName(0), depth + 1));
            }
        }
        return items;
    }

    private ObjectNode map(Group map, int depth) {
        ObjectNode members = NODES.objectNode();
        for (int i = 0; i < map.getFieldRepetitionCount(0); i++) {
            Group entry = map.getGroup(0, i);
            GroupType type = entry.getType();
            JsonNode value = type.getFieldCount() > 1 ? field(entry, type.getFieldName(1), depth + 1) : NODES.nullNode();
            members.set(ParquetRowReader.value(entry, type.getFieldName(0), 0), value);
        }
        return members;
    }

    private JsonNode scalar(Group group, String name, int index) {
        LogicalTypeAnnotation type = group.getType().getType(name).getLogicalTypeAnnotation();
        switch (group.getType().getType(name).asPrimitiveType().getPrimitiveTypeName()) {
            case BOOLEAN:
                return NODES.booleanNode(group.getBoolean(name, index));
            case FLOAT:
                return NODES.numberNode((double) group.getFloat(name, index));
            case DOUBLE:
                return NODES.numberNode(group.getDouble(name, index));
            case INT32:
                return type == null || type instanceof LogicalTypeAnnotation.IntLogicalTypeAnnotation
                        ? NODES.numberNode((long) group.getInteger(name, index)) : NODES.textNode(ParquetRowReader.value(group, name, index));
            case INT64:
                return type == null || type instanceof LogicalTypeAnnotation.IntLogicalTypeAnnotation
                        ? NODES.numberNode(group.getLong(name, index)) : NODES.textNode(ParquetRowReader.value(group, name, index));
            case BINARY:
                byte[] bytes = group.getBinary(name, index).getBytesUnsafe();
                String problem = Utf8.problem(bytes, 0, bytes.length);
                if (problem != null) {
                    tree.fail("a text is " + problem);
                }
                break;
            default:
        }
        return NODES.textNode(ParquetRowReader.value(group, name, index));
    }
}
