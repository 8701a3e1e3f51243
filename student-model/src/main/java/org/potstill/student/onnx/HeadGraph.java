// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.graph.OnnxGraph;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.loss.Objective;

/**
 * The head and the loss, forward and backward, as a loop over chunks of rows, so that no {@code [rows, vocabSize]} tensor is ever
 * held.
 */
final class HeadGraph {
    private final Operators outside;
    private final CausalLmConfig config;
    private final Objective objective;
    private final LinearProducts.Precision precision;
    private final int chunk;

    /** @param chunk rows whose logits are held at once */
    HeadGraph(Operators outside, CausalLmConfig config, Objective objective, LinearProducts.Precision precision, int chunk) {
        this.outside = outside;
        this.config = config;
        this.objective = objective;
        this.precision = precision;
        this.chunk = chunk;
    }

    /**
     * Losses and gradients.
     *
     * @param divergence scalar in double precision, as {@code crossEntropy}
     * @param dHidden    {@code [N, H]}
     * @param dHead      {@code [V, H]}
     */
    record Result(String divergence, String crossEntropy, String dHidden, String dHead) {
    }

    /**
     * Adds the loop.
     *
     * @param hidden {@code [N, H]}
     * @param rows   {@code [1]}, N
     * @param head   {@code [V, H]}
     * @param labels of at least N rows, in a multiple of the chunk; those beyond N have weight 0
     */
    Result add(String hidden, String rows, String head, LossGraph.Rows labels, String alpha) {
        OnnxGraph graph = outside.graph();
        long width = config.hiddenSize();
        String chunks = outside.div(outside.add(rows, graph.longs(chunk - 1L)), graph.longs(chunk));
        String more = outside.sub(outside.mul(chunks, graph.longs(chunk)), rows);
        String padded = outside.node("Pad", hidden, outside.concat(0, graph.longs(0, 0), more, graph.longs(0)));
        String hiddens = outside.reshape(padded, -1, chunk, width);
        String nextIds = outside.reshape(labels.nextIds(), -1, chunk, 1);
        String keptIds = chunked(labels.keptIds());
        String probabilities = chunked(labels.probabilities());
        String weights = outside.reshape(labels.weights(), -1, chunk, 1);

        OnnxGraph body = graph.inner("chunk");
        Operators ops = new Operators(body);
        LinearProducts linear = new LinearProducts(ops, precision);
        String number = body.input("chunk_number", DataType.INT64);
        body.input("chunk_condition", DataType.BOOL);
        body.input("dHead_before", DataType.FLOAT, Integer.toString(config.vocabSize()), Long.toString(width));
        body.input("divergence_before", DataType.DOUBLE);
        body.input("cross_entropy_before", DataType.DOUBLE);
        String x = ops.gather(hiddens, number);
        Operators.Softcapped logits = ops.softcap(linear.timesTransposed(x, head), config.traits().softcaps().logits());
        LossGraph.Loss loss = new LossGraph(ops, objective, config.vocabSize()).add(logits.value(),
                new LossGraph.Rows(ops.gather(nextIds, number), ops.gather(keptIds, number), ops.gather(probabilities, number),
                        ops.gather(weights, number)),
                alpha);
        String dLogits = ops.softcapBackward(loss.dLogits(), logits);
        body.output("chunk_condition", "chunk_goes_on", DataType.BOOL);
        body.output(ops.add("dHead_before", linear.transposedTimes(dLogits, x)), DataType.FLOAT, Integer.toString(config.vocabSize()),
                Long.toString(width));
        body.output(ops.add("divergence_before", loss.divergence()), DataType.DOUBLE);
        body.output(ops.add("cross_entropy_before", loss.crossEntropy()), DataType.DOUBLE);
        body.output(linear.times(dLogits, head), DataType.FLOAT, Integer.toString(chunk), Long.toString(width));

        String zeros = outside.node("Expand", graph.scalar(0f), graph.longs(config.vocabSize(), width));
        String[] results = graph.nodes("Loop", List.of(outside.reshape(chunks, new long[0]), outside.cast(graph.scalar(1L), DataType.BOOL), zeros,
                graph.scalar(0.0), graph.scalar(0.0)), 4, attribute("body", body));
        String dHidden = outside.slice(outside.reshape(results[3], -1, width), graph.longs(0), rows);
        return new Result(results[1], results[2], dHidden, results[0]);
    }

    /** Returns {@code [R, K]} as {@code [R / chunk, chunk, K]}. */
    private String chunked(String x) {
        OnnxGraph graph = outside.graph();
        String kept = outside.slice(outside.node("Shape", x), graph.longs(1), graph.longs(2));
        return outside.reshape(x, outside.concat(0, graph.longs(-1, chunk), kept));
    }
}
