// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import onnx.Onnx.AttributeProto;
import onnx.Onnx.GraphProto;
import onnx.Onnx.ModelProto;
import onnx.Onnx.NodeProto;
import onnx.Onnx.OperatorSetIdProto;
import onnx.Onnx.StringStringEntryProto;
import onnx.Onnx.TensorProto;
import onnx.Onnx.TensorShapeProto;
import onnx.Onnx.TypeProto;
import onnx.Onnx.ValueInfoProto;
import org.nd4j.shade.protobuf.ByteString;
import org.potstill.checkpoints.io.Half;

/** A builder of an ONNX graph. Values are identified by name; adding a node returns the name of its output. */
public final class OnnxGraph {
    private static final OperatorSetIdProto STANDARD = OperatorSetIdProto.newBuilder().setDomain("").setVersion(17).build();
    private static final int IR_VERSION = 8;
    public static final String CONTRIB_DOMAIN = "com.microsoft";

    private final GraphProto.Builder graph = GraphProto.newBuilder();
    private final Set<String> initializers = new HashSet<>();
    /** In front of the names of an inner graph's nodes and constants, which must differ from those outside. */
    private final String prefix;
    /** Holds the weights; null if this graph does. */
    private final OnnxGraph outer;
    private int nodes;

    /** A node attribute: a Long, Float, String, {@code long[]} or inner graph. */
    public record Attribute(String name, Object value) {
    }

    public static Attribute attribute(String name, Object value) {
        return new Attribute(name, value);
    }

    public OnnxGraph(String name) {
        this(name, "", null);
    }

    private OnnxGraph(String name, String prefix, OnnxGraph outer) {
        graph.setName(name);
        this.prefix = prefix;
        this.outer = outer;
    }

    /** Returns a graph for an attribute of one of our nodes, which reads our values and weights. Its inputs and outputs need names of their own. */
    public OnnxGraph inner(String name) {
        return new OnnxGraph(name, name + "/", this);
    }

    public String input(String name, TensorProto.DataType type, String... dimensions) {
        return input(valueInfo(name, type, dimensions));
    }

    /** Adds an input declared by another graph. */
    public String input(ValueInfoProto input) {
        graph.addInput(input);
        return input.getName();
    }

    /** Declares a value as output, with the name and type of another graph's output. */
    public void output(String value, ValueInfoProto output) {
        define(output.getName(), value);
        graph.addOutput(output);
    }

    /** Declares a value as output. */
    public void output(String value, String name, TensorProto.DataType type, String... dimensions) {
        output(value, valueInfo(name, type, dimensions));
    }

    /** Declares a value as output under its own name. Unlike {@link #output(String, String, TensorProto.DataType, String...)}, it is not copied. */
    public void output(String value, TensorProto.DataType type, String... dimensions) {
        graph.addOutput(valueInfo(value, type, dimensions));
    }

    /** Moves the last declared output to the front. */
    void lastOutputFirst() {
        List<ValueInfoProto> outputs = new ArrayList<>(graph.getOutputList());
        outputs.add(0, outputs.remove(outputs.size() - 1));
        graph.clearOutput().addAllOutput(outputs);
    }

    /** Gives a value a fixed name, for spliced nodes to refer to. */
    public void define(String name, String value) {
        graph.addNode(NodeProto.newBuilder().setOpType("Identity").setName(name).addInput(value).addOutput(name));
    }

    /** Adds another graph's nodes and initializers, whose names must not clash with ours. */
    public void splice(GraphProto other) {
        graph.addAllNode(other.getNodeList()).addAllInitializer(other.getInitializerList());
    }

    /** Removes nodes that no output needs. */
    public void prune() {
        Map<String, NodeProto> producers = new HashMap<>();
        graph.getNodeList().forEach(node -> node.getOutputList().forEach(output -> producers.put(output, node)));
        Set<String> needed = new HashSet<>();
        Deque<String> open = new ArrayDeque<>(graph.getOutputList().stream().map(ValueInfoProto::getName).toList());
        while (!open.isEmpty()) {
            String name = open.pop();
            NodeProto node = producers.get(name);
            if (needed.add(name) && node != null) {
                open.addAll(reads(node));
            }
        }
        List<NodeProto> nodes = graph.getNodeList().stream()
                .filter(node -> node.getOutputList().stream().anyMatch(needed::contains)).toList();
        List<TensorProto> tensors = graph.getInitializerList().stream().filter(t -> needed.contains(t.getName())).toList();
        graph.clearNode().addAllNode(nodes).clearInitializer().addAllInitializer(tensors);
    }

    /** Adds a copy of a node with other inputs; returns its first output. */
    public String like(NodeProto node, List<String> inputs) {
        String name = node.getOpType() + "_" + nodes++;
        graph.addNode(node.toBuilder().setName(name).clearInput().addAllInput(inputs).clearOutput().addOutput(name));
        return name;
    }

    /** Refers to a weight in another file; repeated calls declare it once. */
    String external(String name, WeightsLayout.Span span) {
        if (outer != null) {
            return outer.external(name, span);
        }
        if (initializers.add(name)) {
            TensorProto.Builder tensor = TensorProto.newBuilder().setName(name)
                    .setDataType(span.type().getNumber())
                    .setDataLocation(TensorProto.DataLocation.EXTERNAL)
                    .addExternalData(entry("location", ExternalWeights.FILE_NAME))
                    .addExternalData(entry("offset", Long.toString(span.offset())))
                    .addExternalData(entry("length", Long.toString(span.bytes())));
            for (long dimension : span.shape()) {
                tensor.addDims(dimension);
            }
            graph.addInitializer(tensor);
        }
        return name;
    }

    /** Converts a value to another type of numbers. */
    public String cast(String value, TensorProto.DataType type) {
        return node("Cast", List.of(value), attribute("to", (long) type.getNumber()));
    }

    public String longs(long... values) {
        return longs("longs" + Arrays.toString(values).replace(" ", ""), values);
    }

    /** Adds an INT64 constant as a named initializer, for long ones. */
    public String longs(String name, long... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * 8).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(values);
        return constant(name, TensorProto.DataType.INT64, bytes, values.length);
    }

    public String scalar(long value) {
        ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).flip();
        return constant("scalar[" + value + "]", TensorProto.DataType.INT64, bytes);
    }

    public String scalar(float value) {
        ByteBuffer bytes = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(value).flip();
        return constant("scalar[" + value + "f]", TensorProto.DataType.FLOAT, bytes);
    }

    public String scalar(double value) {
        ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putDouble(value).flip();
        return constant("scalar[" + value + "d]", TensorProto.DataType.DOUBLE, bytes);
    }

    /** Adds a scalar in half precision. */
    String half(float value) {
        ByteBuffer bytes = ByteBuffer.allocate(2).order(ByteOrder.LITTLE_ENDIAN).putShort(Half.of(value)).flip();
        return constant("scalar[" + value + "h]", TensorProto.DataType.FLOAT16, bytes);
    }

    /** Adds an INT32 constant [n]. */
    String ints(int... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(values);
        return constant("ints" + Arrays.toString(values).replace(" ", ""), TensorProto.DataType.INT32, bytes, values.length);
    }

    String floats(String name, float... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return constant(name, TensorProto.DataType.FLOAT, bytes, values.length);
    }

    String unsignedByte(int value) {
        return constant("scalar[" + value + "u8]", TensorProto.DataType.UINT8, ByteBuffer.wrap(new byte[] {(byte) value}));
    }

    /** Adds a node with one output. */
    public String node(String op, List<String> inputs, Attribute... attributes) {
        return node("", op, inputs, 1, attributes)[0];
    }

    /** Adds a node with several outputs. */
    public String[] nodes(String op, List<String> inputs, int outputs, Attribute... attributes) {
        return node("", op, inputs, outputs, attributes);
    }

    /** Adds a node of ONNX Runtime's own operator set; returns its first output. */
    public String contrib(String op, List<String> inputs, int outputs, Attribute... attributes) {
        return node(CONTRIB_DOMAIN, op, inputs, outputs, attributes)[0];
    }

    /** Adds such a node with several outputs, omitting those that {@code wanted} marks false. */
    String[] contrib(String op, List<String> inputs, boolean[] wanted, Attribute... attributes) {
        String[] names = node(CONTRIB_DOMAIN, op, inputs, wanted.length, attributes);
        NodeProto.Builder node = graph.getNodeBuilder(graph.getNodeCount() - 1);
        for (int i = 0; i < wanted.length; i++) {
            node.setOutput(i, wanted[i] ? names[i] : "");
        }
        return names;
    }

    /** Adds such a node with outputs of given names. */
    void contrib(String op, List<String> inputs, List<String> outputs, Attribute... attributes) {
        node(CONTRIB_DOMAIN, op, inputs, outputs.size(), attributes);
        graph.getNodeBuilder(graph.getNodeCount() - 1).clearOutput().addAllOutput(outputs);
    }

    public byte[] model() {
        return model(IR_VERSION, List.of(STANDARD, OperatorSetIdProto.newBuilder().setDomain(CONTRIB_DOMAIN).setVersion(1).build()));
    }

    /** Returns the model, which uses ONNX's own operators only, for any runtime. */
    byte[] standardModel() {
        return model(IR_VERSION, List.of(STANDARD));
    }

    public byte[] model(long irVersion, List<OperatorSetIdProto> operatorSets) {
        return ModelProto.newBuilder()
                .setIrVersion(irVersion)
                .setProducerName("potstill")
                .addAllOpsetImport(operatorSets)
                .setGraph(graph)
                .build()
                .toByteArray();
    }

    private String[] node(String domain, String op, List<String> inputs, int outputs, Attribute... attributes) {
        int number = nodes++;
        NodeProto.Builder node = NodeProto.newBuilder().setDomain(domain).setOpType(op).setName(prefix + op + "_" + number)
                .addAllInput(inputs);
        String[] names = new String[outputs];
        for (int i = 0; i < outputs; i++) {
            names[i] = prefix + op + "_" + number + (i == 0 ? "" : "_" + i);
            node.addOutput(names[i]);
        }
        for (Attribute attribute : attributes) {
            node.addAttribute(proto(attribute));
        }
        graph.addNode(node);
        return names;
    }

    private static AttributeProto proto(Attribute attribute) {
        AttributeProto.Builder proto = AttributeProto.newBuilder().setName(attribute.name);
        if (attribute.value instanceof Long number) {
            return proto.setType(AttributeProto.AttributeType.INT).setI(number).build();
        }
        if (attribute.value instanceof Float number) {
            return proto.setType(AttributeProto.AttributeType.FLOAT).setF(number).build();
        }
        if (attribute.value instanceof String text) {
            return proto.setType(AttributeProto.AttributeType.STRING).setS(ByteString.copyFromUtf8(text)).build();
        }
        if (attribute.value instanceof OnnxGraph inner) {
            return proto.setType(AttributeProto.AttributeType.GRAPH).setG(inner.graph).build();
        }
        for (long number : (long[]) attribute.value) {
            proto.addInts(number);
        }
        return proto.setType(AttributeProto.AttributeType.INTS).build();
    }

    private String constant(String unprefixed, TensorProto.DataType type, ByteBuffer bytes, long... shape) {
        String name = prefix + unprefixed;
        if (initializers.add(name)) {
            TensorProto.Builder tensor = TensorProto.newBuilder().setName(name).setDataType(type.getNumber())
                    .setRawData(ByteString.copyFrom(bytes));
            for (long dimension : shape) {
                tensor.addDims(dimension);
            }
            graph.addInitializer(tensor);
        }
        return name;
    }

    /** Declares a value; a dimension is a number or, if it varies between calls, a name. */
    private static ValueInfoProto valueInfo(String name, TensorProto.DataType type, String... dimensions) {
        TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
        for (String dimension : dimensions) {
            TensorShapeProto.Dimension.Builder proto = TensorShapeProto.Dimension.newBuilder();
            if (Character.isDigit(dimension.charAt(0))) {
                proto.setDimValue(Long.parseLong(dimension));
            } else {
                proto.setDimParam(dimension);
            }
            shape.addDim(proto);
        }
        return ValueInfoProto.newBuilder().setName(name)
                .setType(TypeProto.newBuilder().setTensorType(
                        TypeProto.Tensor.newBuilder().setElemType(type.getNumber()).setShape(shape)))
                .build();
    }

    private static StringStringEntryProto entry(String key, String value) {
        return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
    }

    /** Returns the names of the values that a node reads, including those that its inner graphs read from outside. */
    static List<String> reads(NodeProto node) {
        List<String> names = new ArrayList<>(node.getInputList());
        for (AttributeProto attribute : node.getAttributeList()) {
            if (attribute.hasG() || attribute.getGraphsCount() > 0) {
                Stream.concat(Stream.of(attribute.getG()), attribute.getGraphsList().stream()).forEach(graph -> {
                    graph.getNodeList().forEach(inner -> names.addAll(reads(inner)));
                    graph.getOutputList().forEach(output -> names.add(output.getName()));
                });
            }
        }
        return names;
    }
}
