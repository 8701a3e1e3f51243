// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import onnx.Onnx.AttributeProto;
import onnx.Onnx.GraphProto;
import onnx.Onnx.ModelProto;
import onnx.Onnx.NodeProto;
import onnx.Onnx.TensorProto;
import onnx.Onnx.ValueInfoProto;
import org.potstill.checkpoints.graph.OnnxGraph;
import org.potstill.checkpoints.io.CheckpointErrors;

/** Rewriting of third-party graphs, including the graphs inside their nodes. */
final class OnnxSurgery {
    /** Operator sets built into ONNX Runtime. */
    static final Set<String> DOMAINS = Set.of("", OnnxGraph.CONTRIB_DOMAIN);
    /** Operators that mix all rows: their results for a sequence depend on the rest of the batch. */
    private static final Set<String> ACROSS_ROWS =
            Set.of("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM");

    private OnnxSurgery() {
    }

    /** Normalises a domain: ONNX's own operators have two names for theirs. */
    static String domain(String domain) {
        return domain.equals("ai.onnx") ? "" : domain;
    }

    static void requireKnownOperators(Path file, ModelProto model) {
        if (model.getFunctionsCount() > 0) {
            throw CheckpointErrors.unknownOperator(file, model.getFunctions(0).getName(), "the model itself");
        }
        requireKnownOperators(file, model.getGraph());
    }

    private static void requireKnownOperators(Path file, GraphProto graph) {
        for (NodeProto node : graph.getNodeList()) {
            if (!DOMAINS.contains(domain(node.getDomain()))) {
                throw CheckpointErrors.unknownOperator(file, node.getOpType(), "the domain " + node.getDomain());
            }
            if (ACROSS_ROWS.contains(node.getOpType())) {
                throw CheckpointErrors.notRowByRow(file, node.getOpType());
            }
            for (AttributeProto attribute : node.getAttributeList()) {
                if (attribute.hasG()) {
                    requireKnownOperators(file, attribute.getG());
                }
                attribute.getGraphsList().forEach(inner -> requireKnownOperators(file, inner));
                if (isExternal(attribute.getT()) || attribute.getTensorsList().stream().anyMatch(OnnxSurgery::isExternal)) {
                    throw CheckpointErrors.malformed(file, "ONNX", "the constant " + node.getName() + " lies in another file");
                }
            }
        }
        if (graph.getSparseInitializerCount() > 0) {
            throw CheckpointErrors.malformed(file, "ONNX", "it has sparse weights, which are not supported");
        }
    }

    private static boolean isExternal(TensorProto tensor) {
        return tensor.getDataLocationValue() != 0 || tensor.getExternalDataCount() > 0;
    }

    /** Replaces every {@code If} on this input with its else branch. */
    static GraphProto inlineIf(GraphProto graph, String condition) {
        GraphProto.Builder flat = graph.toBuilder().clearNode();
        for (NodeProto node : graph.getNodeList()) {
            GraphProto branch = node.getOpType().equals("If") && node.getInputList().equals(List.of(condition))
                    ? elseBranch(node) : null;
            if (branch == null || branch.getOutputCount() < node.getOutputCount()) {
                flat.addNode(node);
                continue;
            }
            flat.addAllInitializer(branch.getInitializerList()).addAllNode(branch.getNodeList());
            for (int i = 0; i < node.getOutputCount(); i++) {
                String inner = branch.getOutput(i).getName();
                // Optimum gives both the same name.
                if (!inner.equals(node.getOutput(i))) {
                    flat.addNode(NodeProto.newBuilder().setOpType("Identity").addInput(inner).addOutput(node.getOutput(i)));
                }
            }
        }
        return flat.build();
    }

    private static GraphProto elseBranch(NodeProto node) {
        return node.getAttributeList().stream().filter(a -> a.getName().equals("else_branch") && a.hasG())
                .map(AttributeProto::getG).findFirst().orElse(null);
    }

    /**
     * Adds {@code prefix} to every name, relocates weights, and drops annotations such as inferred shapes, which may
     * refer to inputs that are gone.
     */
    static GraphProto prefixed(GraphProto graph, String prefix, OnnxWeights weights) {
        GraphProto.Builder result = GraphProto.newBuilder().setName(graph.getName());
        for (ValueInfoProto input : graph.getInputList()) {
            result.addInput(input.toBuilder().setName(prefix + input.getName()));
        }
        for (ValueInfoProto output : graph.getOutputList()) {
            result.addOutput(output.toBuilder().setName(prefix + output.getName()));
        }
        for (TensorProto tensor : graph.getInitializerList()) {
            result.addInitializer(weights.relocate(tensor).toBuilder().setName(prefix + tensor.getName()));
        }
        for (NodeProto node : graph.getNodeList()) {
            // Names of nodes may clash between graphs, and nothing needs them.
            NodeProto.Builder renamed = node.toBuilder().clearName().clearDocString().setDomain(domain(node.getDomain()));
            for (int i = 0; i < node.getInputCount(); i++) {
                renamed.setInput(i, prefixed(node.getInput(i), prefix));
            }
            for (int i = 0; i < node.getOutputCount(); i++) {
                renamed.setOutput(i, prefixed(node.getOutput(i), prefix));
            }
            for (int i = 0; i < node.getAttributeCount(); i++) {
                AttributeProto attribute = node.getAttribute(i);
                if (attribute.hasG() || attribute.getGraphsCount() > 0) {
                    AttributeProto.Builder inner = attribute.toBuilder().clearGraphs();
                    if (attribute.hasG()) {
                        inner.setG(prefixed(attribute.getG(), prefix, weights));
                    }
                    attribute.getGraphsList().forEach(g -> inner.addGraphs(prefixed(g, prefix, weights)));
                    renamed.setAttribute(i, inner);
                }
            }
            result.addNode(renamed);
        }
        return result.build();
    }

    /** Prefixes a name; an omitted input has none. */
    private static String prefixed(String name, String prefix) {
        return name.isEmpty() ? name : prefix + name;
    }
}
