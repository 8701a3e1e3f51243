// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import java.util.Arrays;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.Traits;
import org.potstill.student.decoder.Weights;

/** A decoder layer, forward and backward: the same mathematics as {@link org.potstill.student.decoder.LlamaDecoder}. */
final class LayerGraph {
    private final Operators ops;
    private final CausalLmConfig config;
    private final LinearProducts linear;
    private final BatchShape shape;
    private final RmsNorms norms;
    private final AttentionGraph attention;
    private final boolean silu;
    private final double residual;
    private final int queries;
    private final int keys;

    LayerGraph(Operators ops, CausalLmConfig config, LinearProducts linear, BatchShape shape, AttentionGraph attention) {
        this.ops = ops;
        this.config = config;
        this.linear = linear;
        this.shape = shape;
        this.norms = new RmsNorms(ops, config, shape);
        this.attention = attention;
        this.silu = config.traits().activation() == Traits.Activation.SILU;
        this.residual = config.traits().scales().residual();
        this.queries = config.numAttentionHeads() * config.headDim();
        this.keys = config.numKeyValueHeads() * config.headDim();
    }

    /** What the backward pass needs of the forward pass. */
    record Kept(RmsNorms.Norm attentionInput, RmsNorms.Norm queryNorm, RmsNorms.Norm keyNorm, AttentionGraph.Attended attended,
            RmsNorms.Norm attentionOutput, RmsNorms.Norm feedForwardInput, Gate gate, RmsNorms.Norm feedForwardOutput, String output) {
    }

    /** The gated linear unit, {@code gated · up} with {@code gated = gate · sigmoid}. */
    private record Gate(String gate, String up, String sigmoid, String gated, String activated) {
    }

    /**
     * Gradients of a layer.
     *
     * @param input   with respect to the residual stream before the layer
     * @param weights of the shapes of the weights
     */
    record Gradients(String input, Weights.Block<String> weights) {
    }

    Kept forward(String stream, int layer, Weights.Block<String> w) {
        int hidden = config.hiddenSize();
        RmsNorms.Norm attentionInput = norms.forward(stream, w.attentionInputNorm(), hidden);
        String qkv = product(attentionInput.output(), w.qkvProj(), w.qkvBias());
        RmsNorms.Norm queryNorm = null;
        RmsNorms.Norm keyNorm = null;
        if (config.headNorms()) {
            String[] parts = ops.split(qkv, 1, queries, keys, keys);
            queryNorm = headNorm(parts[0], w.queryNorm(), queries);
            keyNorm = headNorm(parts[1], w.keyNorm(), keys);
            qkv = ops.concat(1, ops.reshape(queryNorm.output(), -1, queries), ops.reshape(keyNorm.output(), -1, keys), parts[2]);
        }
        AttentionGraph.Attended attended = attention.forward(qkv, layer);
        RmsNorms.Norm attentionOutput = norms.forward(product(attended.output(), w.oProj(), w.oBias()), w.attentionOutputNorm(), hidden);
        String middle = ops.add(stream, ops.scaled(attentionOutput.output(), residual));
        RmsNorms.Norm feedForwardInput = norms.forward(middle, w.feedForwardInputNorm(), hidden);
        Gate gate = gate(product(feedForwardInput.output(), w.gateUpProj(), w.gateUpBias()));
        RmsNorms.Norm feedForwardOutput = norms.forward(product(gate.activated, w.downProj(), w.downBias()), w.feedForwardOutputNorm(), hidden);
        String output = ops.add(middle, ops.scaled(feedForwardOutput.output(), residual));
        return new Kept(attentionInput, queryNorm, keyNorm, attended, attentionOutput, feedForwardInput, gate, feedForwardOutput, output);
    }

    Gradients backward(String dOutput, int layer, Weights.Block<String> w, Kept kept) {
        RmsNorms.Gradient down = norms.backward(ops.scaled(dOutput, residual), kept.feedForwardOutput);
        String dGateUp = gateBackward(linear.times(down.input(), w.downProj()), kept.gate);
        RmsNorms.Gradient gateUp = norms.backward(linear.times(dGateUp, w.gateUpProj()), kept.feedForwardInput);
        String dMiddle = ops.add(dOutput, gateUp.input());

        RmsNorms.Gradient o = norms.backward(ops.scaled(dMiddle, residual), kept.attentionOutput);
        String dQkv = attention.backward(linear.times(o.input(), w.oProj()), kept.attended, layer);
        String dQueryNorm = null;
        String dKeyNorm = null;
        if (config.headNorms()) {
            String[] parts = ops.split(dQkv, 1, queries, keys, keys);
            RmsNorms.Gradient query = norms.backward(ops.reshape(parts[0], -1, kept.queryNorm.columns()), kept.queryNorm);
            RmsNorms.Gradient key = norms.backward(ops.reshape(parts[1], -1, kept.keyNorm.columns()), kept.keyNorm);
            dQueryNorm = query.gain();
            dKeyNorm = key.gain();
            dQkv = ops.concat(1, ops.reshape(query.input(), -1, queries), ops.reshape(key.input(), -1, keys), parts[2]);
        }
        RmsNorms.Gradient qkv = norms.backward(linear.times(dQkv, w.qkvProj()), kept.attentionInput);
        String dInput = ops.add(dMiddle, qkv.input());
        return new Gradients(dInput, Weights.Block.of(Arrays.asList(
                linear.transposedTimes(dQkv, kept.attentionInput.output()), biasGradient(w.qkvBias(), dQkv),
                linear.transposedTimes(o.input(), kept.attended.output()), biasGradient(w.oBias(), o.input()),
                dQueryNorm, dKeyNorm,
                linear.transposedTimes(dGateUp, kept.feedForwardInput.output()), biasGradient(w.gateUpBias(), dGateUp),
                linear.transposedTimes(down.input(), kept.gate.activated), biasGradient(w.downBias(), down.input()),
                qkv.gain(), o.gain(), gateUp.gain(), down.gain())));
    }

    private String product(String x, String w, String bias) {
        String y = linear.timesTransposed(x, w);
        return bias == null ? y : ops.add(y, bias);
    }

    private String biasGradient(String bias, String dy) {
        return bias == null ? null : shape.columnSums(dy, 1);
    }

    /** Adds the norm of each head, or of all together, one row per norm. */
    private RmsNorms.Norm headNorm(String x, String gain, int width) {
        int columns = config.traits().headNorms() == Traits.HeadNorms.EACH ? config.headDim() : width;
        return norms.forward(ops.reshape(x, -1, columns), gain, columns, width / columns);
    }

    /** Adds SwiGLU or GeGLU, see {@link org.potstill.kernels.GatedUnit}. */
    private Gate gate(String gateUp) {
        int inner = config.intermediateSize();
        String[] halves = ops.split(gateUp, 1, inner, inner);
        String sigmoid = ops.node("Sigmoid", argument(halves[0], 1));
        String gated = ops.mul(halves[0], sigmoid);
        return new Gate(halves[0], halves[1], sigmoid, gated, ops.mul(gated, halves[1]));
    }

    private String gateBackward(String dActivated, Gate x) {
        String rest = ops.sub(ops.graph().scalar(1f), x.sigmoid);
        String slope = ops.mul(x.sigmoid, ops.add(ops.graph().scalar(1f), ops.mul(argument(x.gate, 3), rest)));
        return ops.concat(1, ops.mul(ops.mul(dActivated, x.up), slope), ops.mul(dActivated, x.gated));
    }

    /** Returns the sigmoid's argument, with a multiple of its cubic term if it has one. */
    private String argument(String gate, int cubic) {
        if (silu) {
            return gate;
        }
        String square = ops.mul(gate, gate);
        return ops.scaled(ops.mul(gate, ops.add(ops.graph().scalar(1f), ops.scaled(square, cubic * 0.044715))), Math.sqrt(8 / Math.PI));
    }
}
