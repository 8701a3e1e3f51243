// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import onnx.Onnx.AttributeProto;
import onnx.Onnx.GraphProto;
import onnx.Onnx.NodeProto;
import onnx.Onnx.TensorProto;
import org.potstill.checkpoints.graph.OnnxGraph;

/**
 * The head of a ready-made graph, recomputed for the wanted positions only.
 *
 * <p>It walks from the logits back through nodes that treat each position independently, up to the product with the
 * head's matrix, then repeats these nodes on the wanted rows of the hidden states. At any other node it picks the rows
 * there, at worst those of the logits: correct, but slower.
 */
final class OnnxHead {
    private static final int MAX_STEPS = 8;

    private final OnnxGraph graph;
    private final String positions;
    private final int vocabSize;
    private final Map<String, NodeProto> producers = new HashMap<>();
    private final Map<String, TensorProto> constants = new HashMap<>();

    OnnxHead(OnnxGraph graph, GraphProto theirs, String positions, int vocabSize) {
        this.graph = graph;
        this.positions = positions;
        this.vocabSize = vocabSize;
        theirs.getInitializerList().forEach(tensor -> constants.put(tensor.getName(), tensor));
        for (NodeProto node : theirs.getNodeList()) {
            node.getOutputList().forEach(output -> producers.put(output, node));
            if (node.getOpType().equals("Constant") && node.getAttributeCount() == 1 && node.getOutputCount() == 1) {
                constants.put(node.getOutput(0), node.getAttribute(0).getT());
            }
        }
    }

    /**
     * Returns the wanted rows of a value.
     *
     * @return [N, last dimension of {@code value}]: rows {@code positions} of a value [B, T, …] or [B·T, …]
     */
    String rows(String value) {
        List<NodeProto> after = new ArrayList<>();
        // Each step removes a node, so the walk ends even in a cyclic graph.
        for (NodeProto node = producers.remove(value); node != null; node = producers.remove(value)) {
            if (isProduct(node)) {
                return allButLast(again(after, graph.like(node, with(node, picked(node.getInput(0), andOneMore())))));
            }
            String next = rowByRow(node);
            if (next == null) {
                break;
            }
            if (!node.getOpType().equals("Reshape")) {
                after.add(0, node);
            }
            value = next;
        }
        return again(after, picked(value, positions));
    }

    private String picked(String value, String indices) {
        String flat = graph.node("Flatten", List.of(value), attribute("axis", -1L));
        return graph.node("Gather", List.of(flat, indices), attribute("axis", 0L));
    }

    /**
     * Returns the positions with one extra. ONNX Runtime multiplies a single row by an unpacked matrix, as in half
     * precision on a CPU, in another order than several rows; the extra row keeps results independent of the number of
     * rows.
     */
    private String andOneMore() {
        String first = graph.node("Gather", List.of(positions, graph.longs(0)), attribute("axis", 0L));
        return graph.node("Concat", List.of(positions, first), attribute("axis", 0L));
    }

    private String allButLast(String rows) {
        return graph.node("Slice", List.of(rows, graph.longs(0), graph.longs(-1), graph.longs(0)));
    }

    private String again(List<NodeProto> nodes, String rows) {
        for (NodeProto node : nodes) {
            int operand = node.getInputCount() == 2 && isVector(node.getInput(0)) ? 1 : 0;
            List<String> inputs = new ArrayList<>(node.getInputList());
            inputs.set(operand, rows);
            rows = graph.like(node, inputs);
        }
        return rows;
    }

    /** Returns the input of a node that maps each row independently; null for other nodes. */
    private String rowByRow(NodeProto node) {
        if (node.getInputCount() == 0 || node.getOutputCount() != 1) {
            return null;
        }
        String first = node.getInput(0);
        return switch (node.getOpType()) {
            case "Identity", "Cast", "Tanh" -> first;
            case "Add", "Mul", "Sub", "Div" -> node.getInputCount() != 2 ? null
                    : isVector(node.getInput(1)) ? first : isVector(first) ? node.getInput(1) : null;
            // The rows are the same if both sides are V wide.
            case "Reshape" -> width(first) == vocabSize ? first : null;
            default -> null;
        };
    }

    /** Returns whether a constant is a scalar or has one number per column. */
    private boolean isVector(String name) {
        List<Long> shape = shape(name);
        return shape != null && shape.size() <= 1;
    }

    private boolean isProduct(NodeProto node) {
        return columns(node) > 0;
    }

    /** Returns the output width of a product with a constant matrix, or −1 for other nodes. */
    private long columns(NodeProto node) {
        List<String> rest = node.getInputList().stream().skip(1).filter(name -> !name.isEmpty()).toList();
        if (rest.isEmpty() || !rest.stream().allMatch(name -> shape(name) != null)) {
            return -1;
        }
        List<Long> matrix = shape(rest.get(0));
        boolean vectorsAfter = rest.stream().skip(1).allMatch(name -> shape(name).size() <= 1);
        return switch (node.getOpType()) {
            case "MatMulNBits" -> integer(node, "N");
            case "MatMul" -> matrix.size() == 2 ? matrix.get(1) : -1;
            case "Gemm" -> matrix.size() == 2 && vectorsAfter && integer(node, "transA") == 0
                    ? matrix.get(integer(node, "transB") == 0 ? 1 : 0) : -1;
            default -> -1;
        };
    }

    /** Returns the shape of a constant, also if transposed, dequantised or cast; otherwise null. */
    private List<Long> shape(String value) {
        boolean turned = false;
        for (int step = 0; step < MAX_STEPS; step++) {
            TensorProto constant = constants.get(value);
            if (constant != null) {
                List<Long> shape = new ArrayList<>(constant.getDimsList());
                if (turned) {
                    Collections.reverse(shape);
                }
                return shape;
            }
            NodeProto node = producers.get(value);
            if (node == null || node.getInputCount() == 0
                    || !Set.of("Transpose", "Cast", "Identity", "DequantizeLinear").contains(node.getOpType())) {
                return null;
            }
            // Only matrices matter, and they can be transposed in only one way.
            turned ^= node.getOpType().equals("Transpose");
            value = node.getInput(0);
        }
        return null;
    }

    /** Returns the width of a product's output, or −1 if unknown. */
    private long width(String value) {
        for (int step = 0; step < MAX_STEPS; step++) {
            NodeProto node = producers.get(value);
            if (node == null || node.getInputCount() == 0) {
                return -1;
            }
            if (!node.getOpType().equals("Identity") && !node.getOpType().equals("Cast")) {
                return columns(node);
            }
            value = node.getInput(0);
        }
        return -1;
    }

    private static long integer(NodeProto node, String attribute) {
        return node.getAttributeList().stream().filter(a -> a.getName().equals(attribute))
                .mapToLong(AttributeProto::getI).findFirst().orElse(0);
    }

    private static List<String> with(NodeProto node, String first) {
        List<String> inputs = new ArrayList<>(node.getInputList());
        inputs.set(0, first);
        return inputs;
    }
}
