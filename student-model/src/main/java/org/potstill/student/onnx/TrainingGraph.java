// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.graph.OnnxGraph;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.decoder.Weights;
import org.potstill.student.options.TrainingOptions;

/**
 * Steps of training as one ONNX graph: a loop whose state, parameters and Adam's moments, stays on the device. One run takes all local
 * steps of a round; only tokens, soft targets and the state before and after it are copied.
 *
 * <p>Each step computes the forward pass, the head and the loss in chunks of rows, the backward pass, clipping and AdamW. Its
 * batch's rows are padded to {@code [B, T]}, which may differ from step to step. No result depends on the order in which a GPU
 * schedules its threads.
 *
 * <p>Inputs, for S steps, R rows at most per step (a multiple of the chunk) and K kept tokens at most: {@code shapes [S, 2]}, INT64, B
 * and T; {@code ids}, {@code first_rows} and {@code next_ids [S, R]}, INT32, each row's token, the first row of the step with the same
 * token, and the target token; {@code weights [S, R]}, each row's share of the mean loss; {@code kept_ids [S, R, K]}, INT32, −1 for
 * none, and {@code kept_probabilities}; {@code alphas [S]}, double precision; {@code rates} and {@code decays [S]}, see
 * {@link AdamWGraph#step}; {@code positions [P]}, INT64, from 0; {@code cos} and {@code sin [P, headDim / 2]}, and those of local frequencies; then the state, see
 * {@link StateTensor}: parameters, first and second moments of each tensor.
 *
 * <p>Outputs: the state after the steps, in the same order; then per step {@code [S]}, in double precision, divergence, cross-entropy
 * and the gradient's norm before clipping.
 */
final class TrainingGraph {
    static final String SHAPES = "shapes";
    static final String IDS = "ids";
    static final String FIRST_ROWS = "first_rows";
    static final String NEXT_IDS = "next_ids";
    static final String WEIGHTS = "weights";
    static final String KEPT_IDS = "kept_ids";
    static final String KEPT_PROBABILITIES = "kept_probabilities";
    static final String ALPHAS = "alphas";
    static final String RATES = "rates";
    static final String DECAYS = "decays";
    static final String POSITIONS = "positions";
    static final String COS = "cos";
    static final String SIN = "sin";
    static final String LOCAL_COS = "local_cos";
    static final String LOCAL_SIN = "local_sin";
    /** Prefixes of a state tensor's name. */
    static final List<String> KINDS = List.of("parameters.", "first.", "second.");

    private final CausalLmConfig config;
    private final TrainingOptions options;
    private final LinearProducts.Precision precision;
    private final List<StateTensor> tensors;
    private final OnnxGraph graph = new OnnxGraph("training");
    private final OnnxGraph body = graph.inner("step");
    private final Operators ops = new Operators(body);

    private TrainingGraph(CausalLmConfig config, TrainingOptions options, LinearProducts.Precision precision, int chunk) {
        this.config = config;
        this.options = options;
        this.precision = precision;
        this.tensors = StateTensor.of(config);
        declareInputs();
        String iteration = body.input("iteration", DataType.INT64);
        body.input("condition", DataType.BOOL);
        List<AdamWGraph.State> states = new ArrayList<>();
        for (StateTensor tensor : tensors) {
            List<String> state = KINDS.stream()
                    .map(kind -> body.input("step." + kind + tensor.name(), DataType.FLOAT, tensor.dimensions())).toList();
            states.add(new AdamWGraph.State(state.get(0), state.get(1), state.get(2)));
        }
        body.output("condition", "goes_on", DataType.BOOL);
        step(iteration, states, chunk);

        List<String> inputs = new ArrayList<>();
        Operators outside = new Operators(graph);
        inputs.add(outside.reshape(outside.slice(outside.node("Shape", SHAPES), graph.longs(0), graph.longs(1)), new long[0]));
        inputs.add(graph.cast(graph.scalar(1L), DataType.BOOL));
        tensors.forEach(tensor -> KINDS.forEach(kind -> inputs.add(kind + tensor.name())));
        int results = KINDS.size() * tensors.size();
        String[] outputs = graph.nodes("Loop", inputs, results + 3, attribute("body", body));
        for (int i = 0; i < results; i++) {
            graph.output(outputs[i], DataType.FLOAT, tensors.get(i / KINDS.size()).dimensions());
        }
        for (int i = results; i < outputs.length; i++) {
            graph.output(outputs[i], DataType.DOUBLE, "S");
        }
    }

    /**
     * Returns a serialised ONNX model.
     *
     * @param chunk rows whose logits are held at once
     */
    static byte[] build(CausalLmConfig config, TrainingOptions options, LinearProducts.Precision precision, int chunk) {
        return new TrainingGraph(config, options, precision, chunk).graph.model();
    }

    private void declareInputs() {
        graph.input(SHAPES, DataType.INT64, "S", "2");
        for (String ofRows : List.of(IDS, FIRST_ROWS, NEXT_IDS)) {
            graph.input(ofRows, DataType.INT32, "S", "R");
        }
        graph.input(WEIGHTS, DataType.FLOAT, "S", "R");
        graph.input(KEPT_IDS, DataType.INT32, "S", "R", "K");
        graph.input(KEPT_PROBABILITIES, DataType.FLOAT, "S", "R", "K");
        graph.input(ALPHAS, DataType.DOUBLE, "S");
        graph.input(RATES, DataType.FLOAT, "S");
        graph.input(DECAYS, DataType.FLOAT, "S");
        graph.input(POSITIONS, DataType.INT64, "P");
        tables().forEach(table -> graph.input(table, DataType.FLOAT, "P", Integer.toString(config.headDim() / 2)));
        tensors.forEach(tensor -> KINDS.forEach(kind -> graph.input(kind + tensor.name(), DataType.FLOAT, tensor.dimensions())));
    }

    private List<String> tables() {
        return config.hasLocalFrequencies() ? List.of(COS, SIN, LOCAL_COS, LOCAL_SIN) : List.of(COS, SIN);
    }

    private void step(String iteration, List<AdamWGraph.State> states, int chunk) {
        String dimensions = ops.gather(SHAPES, iteration);
        String count = ops.mul(ops.slice(dimensions, body.longs(0), body.longs(1)), ops.slice(dimensions, body.longs(1), body.longs(2)));
        String ids = ops.slice(ops.gather(IDS, iteration), body.longs(0), count);
        BatchShape shape = new BatchShape(ops, config, ops.reshape(ids, dimensions), POSITIONS);
        String rows = shape.rows();
        LossGraph.Rows labels = new LossGraph.Rows(ops.gather(NEXT_IDS, iteration), ops.gather(KEPT_IDS, iteration),
                ops.gather(KEPT_PROBABILITIES, iteration), ops.gather(WEIGHTS, iteration));
        Weights<String> weights = weights(states);
        LayerGraph layers = new LayerGraph(ops, config, new LinearProducts(ops, precision), shape,
                new AttentionGraph(ops, config, shape, tables()));
        RmsNorms norms = new RmsNorms(ops, config, shape);

        String stream = ops.scaled(ops.gather(weights.embedTokens(), ids), config.traits().scales().embedding());
        List<LayerGraph.Kept> kept = new ArrayList<>();
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            kept.add(layers.forward(stream, i, weights.blocks().get(i)));
            stream = kept.get(i).output();
        }
        RmsNorms.Norm last = norms.forward(stream, weights.norm(), config.hiddenSize());
        double ofLogits = config.traits().scales().logits();
        HeadGraph.Result head = new HeadGraph(ops, config, options.objective(), precision, chunk)
                .add(ops.scaled(last.output(), ofLogits), rows, weights.head(), labels, ops.gather(ALPHAS, iteration));

        RmsNorms.Gradient gradient = norms.backward(ops.scaled(head.dHidden(), ofLogits), last);
        String dStream = gradient.input();
        List<Weights.Block<String>> blocks = new ArrayList<>();
        for (int i = config.numHiddenLayers() - 1; i >= 0; i--) {
            LayerGraph.Gradients layer = layers.backward(dStream, i, weights.blocks().get(i), kept.get(i));
            dStream = layer.input();
            blocks.add(0, layer.weights());
        }
        dStream = ops.scaled(dStream, config.traits().scales().embedding());
        String dEmbedding = embeddingGradient(dStream, ids, ops.slice(ops.gather(FIRST_ROWS, iteration), body.longs(0), rows), rows,
                config.tieWordEmbeddings() ? head.dHead() : null);
        String norm = update(iteration, states, stacked(new Weights<>(dEmbedding, blocks, gradient.gain(), head.dHead())));
        body.output(head.divergence(), DataType.DOUBLE);
        body.output(head.crossEntropy(), DataType.DOUBLE);
        body.output(norm, DataType.DOUBLE);
    }

    /** Takes the state apart into each layer's matrices, {@code [rows, columns]}. */
    private Weights<String> weights(List<AdamWGraph.State> states) {
        Map<String, String[]> layers = new HashMap<>();
        for (int i = 0; i < tensors.size(); i++) {
            StateTensor tensor = tensors.get(i);
            long[] sizes = new long[tensor.layers()];
            Arrays.fill(sizes, 1);
            String all = states.get(i).parameters();
            String[] each = tensor.layers() == 1 ? new String[] {all} : ops.split(all, 0, sizes);
            layers.put(tensor.name(), Arrays.stream(each).map(layer -> ops.reshape(layer, tensor.rows(), tensor.columns())).toArray(String[]::new));
        }
        int matrices = Weights.places(config).blocks().get(0).all().size();
        List<Weights.Block<String>> blocks = new ArrayList<>();
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            List<String> all = new ArrayList<>();
            for (int i = 0; i < matrices; i++) {
                String[] each = layers.get(StateTensor.ofLayers(i));
                all.add(each == null ? null : each[layer]);
            }
            blocks.add(Weights.Block.of(all));
        }
        String embedding = layers.get(StateTensor.EMBEDDING)[0];
        return new Weights<>(embedding, blocks, layers.get(StateTensor.NORM)[0],
                config.tieWordEmbeddings() ? embedding : layers.get(StateTensor.HEAD)[0]);
    }

    /** Returns the gradients in the form of the state. */
    private List<String> stacked(Weights<String> gradients) {
        List<String> stacked = new ArrayList<>();
        for (StateTensor tensor : tensors) {
            List<String> layers = switch (tensor.name()) {
                case StateTensor.EMBEDDING -> List.of(gradients.embedTokens());
                case StateTensor.NORM -> List.of(gradients.norm());
                case StateTensor.HEAD -> List.of(gradients.head());
                default -> gradients.blocks().stream().map(block -> block.all().get(tensor.place())).toList();
            };
            String[] each = layers.stream().map(layer -> ops.reshape(layer, 1, tensor.rows(), tensor.columns())).toArray(String[]::new);
            stacked.add(each.length == 1 ? each[0] : ops.concat(0, each));
        }
        return stacked;
    }

    /**
     * Adds the gradient of the rows to that of the table. Rows with the same token are summed by a product: the row that comes first
     * gets the sum and the others 0, so that the order in which a GPU adds them does not matter.
     *
     * @param table {@code [V, H]}; null for zeros
     */
    private String embeddingGradient(String dStream, String ids, String firstRows, String rows, String table) {
        String count = ops.reshape(rows, new long[0]);
        String numbers = ops.node("Range", body.scalar(0L), count, body.scalar(1L));
        String same = ops.node("Equal", ops.unsqueeze(ops.cast(numbers, DataType.INT32), 1), firstRows);
        String sums = ops.node("MatMul", ops.floats(same), dStream);
        String onto = table != null ? table : ops.node("Expand", body.scalar(0f), body.longs(config.vocabSize(), config.hiddenSize()));
        return body.node("ScatterND", List.of(onto, ops.unsqueeze(ops.cast(ids, DataType.INT64), 1), sums), attribute("reduction", "add"));
    }

    /** Adds the optimizer's step; returns the gradient's norm. */
    private String update(String iteration, List<AdamWGraph.State> states, List<String> gradients) {
        AdamWGraph adamW = new AdamWGraph(ops, options);
        String norm = adamW.norm(gradients);
        String clip = adamW.clip(norm);
        String rate = ops.gather(RATES, iteration);
        String decay = options.weightDecay() == 0 ? null : ops.gather(DECAYS, iteration);
        for (int i = 0; i < tensors.size(); i++) {
            StateTensor tensor = tensors.get(i);
            AdamWGraph.State after = adamW.step(states.get(i), gradients.get(i), clip, rate, tensor.decays() ? decay : null);
            for (String value : List.of(after.parameters(), after.first(), after.second())) {
                body.output(value, DataType.FLOAT, tensor.dimensions());
            }
        }
        return norm;
    }
}
