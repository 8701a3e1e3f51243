// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import onnx.Onnx.GraphProto;
import onnx.Onnx.ModelProto;
import onnx.Onnx.OperatorSetIdProto;
import onnx.Onnx.TensorProto.DataType;
import onnx.Onnx.TensorShapeProto.Dimension;
import onnx.Onnx.ValueInfoProto;
import org.potstill.checkpoints.graph.CachedLlamaGraph;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.LogitsEnding;
import org.potstill.checkpoints.graph.OnnxGraph;
import org.potstill.checkpoints.io.CheckpointErrors;

/**
 * A causal language model's graph from Hugging Face Optimum or torch.onnx, adapted to {@link LlamaGraph}'s inputs and
 * endings.
 *
 * <p>Inputs besides {@code input_ids} follow from its shape [B, T]: an attention mask of ones (rows are padded on the
 * right, which the causal mask hides from real positions), positions 0 to T − 1, and empty pasts. Outputs other than
 * logits are dropped.
 */
final class ReadyMadeGraph {
    /** Prefix of all names of the original graph: ours, which have no slash, cannot clash. */
    private static final String THEIRS = "model/";
    private static final String USE_CACHE = "use_cache_branch";
    private static final Set<Integer> NUMBERS = Set.of(DataType.FLOAT_VALUE, DataType.FLOAT16_VALUE, DataType.BFLOAT16_VALUE,
            DataType.DOUBLE_VALUE, DataType.INT32_VALUE, DataType.INT64_VALUE, DataType.BOOL_VALUE);
    private static final int OLDEST_OPSET = 13;
    private static final int MAX_DIMENSION = 1 << 20;

    private final Path file;
    private final ModelProto model;
    private final GraphProto theirs;
    private final ValueInfoProto inputIds;
    private final ValueInfoProto logits;

    /** Adapts a graph; rejects one that is not a causal language model, naming what was found. */
    ReadyMadeGraph(Path file, ModelProto model, OnnxWeights weights) {
        this.file = file;
        this.model = model;
        OnnxSurgery.requireKnownOperators(file, model);
        GraphProto graph = OnnxSurgery.inlineIf(model.getGraph(), USE_CACHE);
        this.theirs = OnnxSurgery.prefixed(graph, THEIRS, weights);
        this.inputIds = find(graph.getInputList(), "input_ids");
        this.logits = find(graph.getOutputList(), "logits");
        if (inputIds == null) {
            throw CheckpointErrors.notCausalLm(file, "has no input input_ids; its inputs are " + names(graph.getInputList()));
        }
        if (logits == null) {
            throw CheckpointErrors.notCausalLm(file, "has no output logits; its outputs are " + names(graph.getOutputList()));
        }
        requireFree(inputIds, 2);
        requireFree(logits, 3);
        if (operatorSets().stream().noneMatch(set -> set.getDomain().isEmpty() && set.getVersion() >= OLDEST_OPSET)) {
            throw CheckpointErrors.notCausalLm(file, "is written in operators older than opset " + OLDEST_OPSET);
        }
        feed(new OnnxGraph("only to see whether it can be fed"));
    }

    /** Returns the last dimension of the logits, or −1 if the graph does not declare it. */
    long vocabSize() {
        Dimension last = logits.getType().getTensorType().getShape().getDim(2);
        return last.getDimValue() > 0 ? last.getDimValue() : -1;
    }

    byte[] edited(LlamaGraph.Ending ending, int vocabSize) {
        OnnxGraph graph = new OnnxGraph("ready-made");
        String positions = feed(graph);
        graph.splice(theirs);
        String rows = new OnnxHead(graph, theirs, positions, vocabSize).rows(THEIRS + logits.getName());
        if (elementType(logits) != DataType.FLOAT_VALUE) {
            rows = graph.cast(rows, DataType.FLOAT);
        }
        LogitsEnding.add(graph, rows, part -> part, ending, vocabSize);
        graph.prune();
        return graph.model(model.getIrVersion(), operatorSets());
    }

    /**
     * Returns the original graph, for generating text; rejects it unless it has a key/value cache like {@link
     * CachedLlamaGraph}.
     */
    byte[] cached() {
        GraphProto graph = model.getGraph();
        for (ValueInfoProto input : theirInputs()) {
            boolean past = input.getName().matches("past_key_values\\.[0-9]+\\.(key|value)");
            boolean known = past || Set.of(LlamaGraph.INPUT_IDS, CachedLlamaGraph.ATTENTION_MASK, CachedLlamaGraph.POSITION_IDS)
                    .contains(input.getName());
            String present = input.getName().replace("past_key_values", "present");
            if (!known || elementType(input) != (past ? DataType.FLOAT_VALUE : DataType.INT64_VALUE)
                    || past && (rank(input) != 4 || find(graph.getOutputList(), present) == null)) {
                throw CheckpointErrors.noCache(file, "it has an input " + described(input)
                        + ", which is not part of a graph with past, or has no output to go with it");
            }
        }
        if (theirInputs().stream().noneMatch(input -> input.getName().startsWith("past_key_values."))
                || elementType(logits) != DataType.FLOAT_VALUE) {
            throw CheckpointErrors.noCache(file, "it takes no past_key_values, or gives logits that are not float32");
        }
        OnnxGraph whole = new OnnxGraph("ready-made");
        theirInputs().forEach(input -> whole.define(THEIRS + input.getName(), whole.input(input)));
        whole.splice(theirs);
        graph.getOutputList().forEach(output -> whole.output(THEIRS + output.getName(), output));
        return whole.model(model.getIrVersion(), operatorSets());
    }

    /** Returns the inputs that are not weights. */
    private List<ValueInfoProto> theirInputs() {
        Set<String> constants = new HashSet<>();
        theirs.getInitializerList().forEach(tensor -> constants.add(tensor.getName()));
        return model.getGraph().getInputList().stream().filter(input -> !constants.contains(THEIRS + input.getName())).toList();
    }

    /** Computes the original inputs from ours; returns the wanted positions. */
    private String feed(OnnxGraph graph) {
        String ids = graph.input(LlamaGraph.INPUT_IDS, DataType.INT64, "B", "T");
        String positions = graph.input(LlamaGraph.POSITIONS, DataType.INT64, "N");
        String shape = graph.node("Shape", List.of(ids));
        String batch = graph.node("Gather", List.of(shape, graph.longs(0)));
        for (ValueInfoProto input : theirInputs()) {
            String value = switch (input.getName()) {
                case "input_ids" -> ids;
                case "attention_mask" -> filled(graph, shape, graph.scalar(1), input);
                case "position_ids" -> filled(graph, shape, range(graph, shape), input);
                // Never use the cache: it is empty.
                case USE_CACHE -> graph.longs(0);
                // 0 keeps all logits.
                case "num_logits_to_keep" -> rank(input) == 0 ? graph.scalar(0) : graph.longs(0);
                default -> past(graph, batch, input);
            };
            if (!NUMBERS.contains(elementType(input))) {
                throw CheckpointErrors.notCausalLm(file, "has an input " + described(input) + " that does not take numbers");
            }
            graph.define(THEIRS + input.getName(), graph.cast(value, DataType.forNumber(elementType(input))));
        }
        return positions;
    }

    private String filled(OnnxGraph graph, String shape, String values, ValueInfoProto input) {
        requireFree(input, 2);
        return graph.node("Expand", List.of(values, shape));
    }

    /** Returns [T]: 0, 1, … */
    private static String range(OnnxGraph graph, String shape) {
        String time = graph.node("Gather", List.of(shape, graph.scalar(1)));
        return graph.node("Range", List.of(graph.scalar(0), time, graph.scalar(1)));
    }

    /** Makes empty keys or values: batch first, one dimension of length 0, the others as declared. */
    private String past(OnnxGraph graph, String batch, ValueInfoProto input) {
        if (!input.getName().startsWith("past_key") && !input.getName().startsWith("past.")) {
            throw CheckpointErrors.notCausalLm(file, "asks for an input " + described(input)
                    + ", and what to give it is not known");
        }
        long[] shape = input.getType().getTensorType().getShape().getDimList().stream()
                .mapToLong(Dimension::getDimValue).toArray();
        boolean sound = shape.length >= 3 && shape[0] == 0 && batchName(input).equals(batchName(inputIds));
        for (long dimension : shape) {
            sound &= dimension >= 0 && dimension <= MAX_DIMENSION;
        }
        if (!sound || Arrays.stream(shape).filter(dimension -> dimension == 0).count() != 2) {
            throw CheckpointErrors.notCausalLm(file, "has an input " + described(input)
                    + ", which is not [batch, …] with one more free dimension, for the past");
        }
        long[] rest = Arrays.copyOfRange(shape, 1, shape.length);
        String dimensions = graph.node("Concat", List.of(batch, graph.longs(rest)), attribute("axis", 0L));
        return graph.node("Expand", List.of(graph.scalar(0f), dimensions));
    }

    /** Rejects another rank, and a fixed batch or time dimension. */
    private void requireFree(ValueInfoProto value, int rank) {
        List<Dimension> shape = value.getType().getTensorType().getShape().getDimList();
        if (shape.size() != rank || shape.get(0).getDimValue() != 0 || shape.get(1).getDimValue() != 0) {
            throw CheckpointErrors.notCausalLm(file, "has " + described(value)
                    + ", which is not of " + rank + " dimensions with a free batch and time");
        }
    }

    /** Returns the graph's operator sets, without unused ones. */
    private List<OperatorSetIdProto> operatorSets() {
        Map<String, OperatorSetIdProto> sets = new LinkedHashMap<>();
        for (OperatorSetIdProto set : model.getOpsetImportList()) {
            String domain = OnnxSurgery.domain(set.getDomain());
            if (OnnxSurgery.DOMAINS.contains(domain)) {
                sets.put(domain, set.toBuilder().setDomain(domain).build());
            }
        }
        return new ArrayList<>(sets.values());
    }

    private static ValueInfoProto find(List<ValueInfoProto> values, String name) {
        return values.stream().filter(value -> value.getName().equals(name)).findFirst().orElse(null);
    }

    private static int elementType(ValueInfoProto value) {
        return value.getType().getTensorType().getElemType();
    }

    private static String batchName(ValueInfoProto value) {
        return value.getType().getTensorType().getShape().getDim(0).getDimParam();
    }

    private static int rank(ValueInfoProto value) {
        return value.getType().getTensorType().getShape().getDimCount();
    }

    private static String names(List<ValueInfoProto> values) {
        return values.stream().limit(8).map(ValueInfoProto::getName).collect(Collectors.joining(", "))
                + (values.size() > 8 ? ", …" : "");
    }

    /** Describes a value by name and shape: {@code logits [batch, time, 304]}. */
    private static String described(ValueInfoProto value) {
        return value.getName() + " " + value.getType().getTensorType().getShape().getDimList().stream()
                .map(d -> d.getDimValue() != 0 ? Long.toString(d.getDimValue())
                        : d.getDimParam().isEmpty() ? "?" : d.getDimParam())
                .toList();
    }
}
