// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.nd4j;

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.SpillPolicy;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.ops.transforms.Transforms;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.RotaryTable;
import org.potstill.checkpoints.model.Traits;
import org.potstill.kernels.GatedUnit;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.decoder.Decoder;
import org.potstill.student.decoder.LlamaDecoder;
import org.potstill.student.decoder.Weights;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;

/**
 * A decoder in ND4J's own operations, one per mathematical step: slower on CPUs than {@link LlamaDecoder}, but portable to all of
 * ND4J's backends. Rows are packed as in {@link LlamaDecoder}; only attention uses padding.
 */
public final class Nd4jDecoder implements Decoder {
    private static final WorkspaceConfiguration REUSED =
            WorkspaceConfiguration.builder().policySpill(SpillPolicy.REALLOCATE).build();

    private final CausalLmConfig config;
    private final DataType type;
    private final Traits.Scales scales;
    private final Nd4jHead head;
    private Weights<INDArray> weights;
    private Weights<INDArray> gradients;

    /**
     * Activations that a layer keeps for its backward pass; {@code input} and {@code middle} are the residual stream before and
     * after attention.
     *
     * @param unnormed        queries and keys before their norms, one row per norm; null in models without them
     * @param attentionOutput output of the sublayer before it is normalised and scaled, as {@code feedForwardOutput}
     */
    private record Block(INDArray input, INDArray[] unnormed, INDArray qkv, INDArray attended, INDArray attentionOutput, INDArray middle,
            INDArray gateUp, INDArray feedForwardOutput) {
    }

    public Nd4jDecoder(CausalLmConfig config, DataType type, Objective objective) {
        this.config = config;
        this.type = type;
        this.scales = config.traits().scales();
        this.head = new Nd4jHead(config.vocabSize(), objective, config.traits().softcaps().logits());
    }

    @Override
    public void setParameters(INDArray flat) {
        weights = Weights.of(config, flat, (piece, rows, columns) -> piece.reshape('c', rows, columns));
    }

    @Override
    public void setGradients(INDArray flat) {
        gradients = Weights.of(config, flat, (piece, rows, columns) -> piece.reshape('c', rows, columns));
    }

    @Override
    public StepLoss loss(PackedBatch batch, double alpha) {
        try (MemoryWorkspace scratch = scratch()) {
            return head.loss(batch.targets(), alpha, normed(forward(batch, new ArrayList<>())), weights.head(), null, null);
        }
    }

    @Override
    public INDArray logits(PackedBatch batch) {
        INDArray logits = Nd4j.createUninitializedDetached(type, batch.rows(), config.vocabSize());
        try (MemoryWorkspace scratch = scratch()) {
            return logits.assign(head.logits(normed(forward(batch, new ArrayList<>())), weights.head()));
        }
    }

    @Override
    public StepLoss lossAndGradient(PackedBatch batch, double alpha) {
        try (MemoryWorkspace scratch = scratch()) {
            List<Block> blocks = new ArrayList<>();
            INDArray last = forward(batch, blocks);
            INDArray dNormed = Nd4j.zeros(type, last.shape());
            StepLoss loss = head.loss(batch.targets(), alpha, normed(last), weights.head(), dNormed, gradients.head());
            INDArray dStream = rmsNormBackward(dNormed.muli(scales.logits()), last, weights.norm(), gradients.norm());
            for (int i = blocks.size() - 1; i >= 0; i--) {
                dStream = backward(batch, i, blocks.get(i), dStream);
            }
            if (!config.tieWordEmbeddings()) {
                gradients.embedTokens().assign(0);
            }
            head.addRows(gradients.embedTokens(), batch.ids(), dStream.mul(scales.embedding()));
            return loss;
        }
    }

    @Override
    public void free() {
        Nd4j.getWorkspaceManager().destroyAllWorkspacesForCurrentThread();
    }

    private static MemoryWorkspace scratch() {
        return Nd4j.getWorkspaceManager().getAndActivateWorkspace(REUSED, "potstill-student");
    }

    /** Returns the residual stream after the last layer; adds to {@code blocks} what the backward pass needs. */
    private INDArray forward(PackedBatch batch, List<Block> blocks) {
        INDArray stream = Nd4j.pullRows(weights.embedTokens(), 1, batch.ids()).muli(scales.embedding());
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            Weights.Block<INDArray> w = weights.blocks().get(i);
            INDArray qkv = linear(norm(stream, w.attentionInputNorm()), w.qkvProj(), w.qkvBias());
            INDArray[] unnormed = config.headNorms() ? normHeads(qkv, w) : null;
            rotate(batch, qkv, i, 1);
            INDArray attended = Nd4jAttention.forward(config, batch, qkv, config.slidingWindow(i));
            INDArray attentionOutput = linear(attended, w.oProj(), w.oBias());
            INDArray middle = stream.add(norm(attentionOutput, w.attentionOutputNorm()).mul(scales.residual()));
            INDArray gateUp = linear(norm(middle, w.feedForwardInputNorm()), w.gateUpProj(), w.gateUpBias());
            INDArray feedForwardOutput = linear(activated(gateUp), w.downProj(), w.downBias());
            blocks.add(new Block(stream, unnormed, qkv, attended, attentionOutput, middle, gateUp, feedForwardOutput));
            stream = middle.add(norm(feedForwardOutput, w.feedForwardOutputNorm()).mul(scales.residual()));
        }
        return stream;
    }

    /** Returns {@code x·wᵀ + bias}; {@code bias} may be null. */
    private static INDArray linear(INDArray x, INDArray w, INDArray bias) {
        INDArray y = timesTransposed(x, w);
        return bias == null ? y : y.addiRowVector(bias);
    }

    /** Computes a bias's gradient from that of the sum it is part of; does nothing if {@code dBias} is null. */
    private static void biasGradient(INDArray dy, INDArray dBias) {
        if (dBias != null) {
            dBias.assign(dy.sum(true, 0));
        }
    }

    /** Normalises queries and keys in place; returns copies of the original ones, one row per norm. */
    private INDArray[] normHeads(INDArray qkv, Weights.Block<INDArray> w) {
        INDArray[] unnormed = {rows(queries(qkv), w.queryNorm()), rows(keys(qkv), w.keyNorm())};
        queries(qkv).assign(rmsNorm(unnormed[0], w.queryNorm()).reshape(queries(qkv).shape()));
        keys(qkv).assign(rmsNorm(unnormed[1], w.keyNorm()).reshape(keys(qkv).shape()));
        return unnormed;
    }

    private void normHeadsBackward(INDArray dQkv, INDArray[] unnormed, Weights.Block<INDArray> w, Weights.Block<INDArray> dw) {
        INDArray dQueries = rmsNormBackward(rows(queries(dQkv), w.queryNorm()), unnormed[0], w.queryNorm(), dw.queryNorm());
        INDArray dKeys = rmsNormBackward(rows(keys(dQkv), w.keyNorm()), unnormed[1], w.keyNorm(), dw.keyNorm());
        queries(dQkv).assign(dQueries.reshape(queries(dQkv).shape()));
        keys(dQkv).assign(dKeys.reshape(keys(dQkv).shape()));
    }

    private INDArray queries(INDArray qkv) {
        return qkv.get(NDArrayIndex.all(), NDArrayIndex.interval(0, config.numAttentionHeads() * config.headDim()));
    }

    private INDArray keys(INDArray qkv) {
        int queries = config.numAttentionHeads() * config.headDim();
        return qkv.get(NDArrayIndex.all(), NDArrayIndex.interval(queries, queries + config.numKeyValueHeads() * config.headDim()));
    }

    /** Copies adjacent heads to one row per norm with this gain. */
    private static INDArray rows(INDArray x, INDArray gain) {
        return x.dup('c').reshape(x.length() / gain.length(), gain.length());
    }

    /** Backpropagates from the layer's output to its input; overwrites the gradients of the layer's weights. */
    private INDArray backward(PackedBatch batch, int layer, Block block, INDArray dOutput) {
        Weights.Block<INDArray> w = weights.blocks().get(layer);
        Weights.Block<INDArray> dw = gradients.blocks().get(layer);
        INDArray dFeedForward = normBackward(dOutput.mul(scales.residual()), block.feedForwardOutput(), w.feedForwardOutputNorm(),
                dw.feedForwardOutputNorm());
        biasGradient(dFeedForward, dw.downBias());
        dw.downProj().assign(transposedTimes(dFeedForward, activated(block.gateUp())));
        INDArray dGateUp = gatedUnitBackward(block.gateUp(), dFeedForward.mmul(w.downProj()));
        biasGradient(dGateUp, dw.gateUpBias());
        dw.gateUpProj().assign(transposedTimes(dGateUp, norm(block.middle(), w.feedForwardInputNorm())));
        INDArray dMiddle = dOutput.add(normBackward(dGateUp.mmul(w.gateUpProj()), block.middle(), w.feedForwardInputNorm(),
                dw.feedForwardInputNorm()));

        INDArray dAttention = normBackward(dMiddle.mul(scales.residual()), block.attentionOutput(), w.attentionOutputNorm(),
                dw.attentionOutputNorm());
        biasGradient(dAttention, dw.oBias());
        dw.oProj().assign(transposedTimes(dAttention, block.attended()));
        INDArray dQkv = Nd4jAttention.backward(config, batch, block.qkv(), dAttention.mmul(w.oProj()), config.slidingWindow(layer));
        rotate(batch, dQkv, layer, -1);
        if (config.headNorms()) {
            normHeadsBackward(dQkv, block.unnormed(), w, dw);
        }
        biasGradient(dQkv, dw.qkvBias());
        dw.qkvProj().assign(transposedTimes(dQkv, norm(block.input(), w.attentionInputNorm())));
        return dMiddle.add(normBackward(dQkv.mmul(w.qkvProj()), block.input(), w.attentionInputNorm(), dw.attentionInputNorm()));
    }

    /** Normalises; returns {@code x} itself without a gain. */
    private INDArray norm(INDArray x, INDArray gain) {
        return gain == null ? x : rmsNorm(x, gain);
    }

    private INDArray normBackward(INDArray dOut, INDArray x, INDArray gain, INDArray dGain) {
        return gain == null ? dOut : rmsNormBackward(dOut, x, gain, dGain);
    }

    private INDArray normed(INDArray stream) {
        return rmsNorm(stream, weights.norm()).muli(scales.logits());
    }

    private INDArray rmsNorm(INDArray x, INDArray gain) {
        return x.mulColumnVector(inverseRms(x)).muliRowVector(gain);
    }

    private INDArray inverseRms(INDArray x) {
        return Transforms.pow(x.mul(x).mean(true, 1).addi(config.rmsNormEps()), -0.5, false);
    }

    private INDArray rmsNormBackward(INDArray dOut, INDArray x, INDArray gain, INDArray dGain) {
        INDArray inverse = inverseRms(x);
        dGain.assign(x.mulColumnVector(inverse).muli(dOut).sum(true, 0));
        INDArray dNormed = dOut.mulRowVector(gain);
        INDArray projection = x.mul(dNormed).mean(true, 1).muli(Transforms.pow(inverse, 3));
        return dNormed.muliColumnVector(inverse).subi(x.mulColumnVector(projection));
    }

    /** Computes SwiGLU or GeGLU, see {@link GatedUnit}. */
    private INDArray activated(INDArray gateUp) {
        INDArray gate = half(gateUp, 0);
        return Transforms.sigmoid(argument(gate, 1)).muli(gate).muli(half(gateUp, 1));
    }

    private INDArray gatedUnitBackward(INDArray gateUp, INDArray dActivated) {
        INDArray gate = half(gateUp, 0);
        INDArray sigmoid = Transforms.sigmoid(argument(gate, 1));
        INDArray derivative = sigmoid.mul(argument(gate, 3).mul(sigmoid.rsub(1)).addi(1));
        return Nd4j.concat(1, derivative.muli(half(gateUp, 1)).muli(dActivated), sigmoid.mul(gate).muli(dActivated));
    }

    /** Returns the sigmoid's argument, with a multiple of its cubic term if it has one. */
    private INDArray argument(INDArray gate, int cubic) {
        return config.traits().activation() == Traits.Activation.SILU ? gate
                : gate.mul(gate).muli(gate).muli(cubic * 0.044715).addi(gate).muli(Math.sqrt(8 / Math.PI));
    }

    private static INDArray half(INDArray x, int which) {
        long width = x.size(1) / 2;
        return x.get(NDArrayIndex.all(), NDArrayIndex.interval(which * width, (which + 1) * width)).dup('c');
    }

    /** Rotates dimensions j and j + headDim / 2 of each query and key head together, in place, in layers that have the rotary embedding. */
    private void rotate(PackedBatch batch, INDArray qkv, int layer, int sign) {
        if (!config.rotates(layer)) {
            return;
        }
        int rows = batch.rows();
        int half = config.headDim() / 2;
        int heads = config.numAttentionHeads() + config.numKeyValueHeads();
        float[] frequencies = config.isLocal(layer) ? config.localFrequencies() : config.rotaryFrequencies();
        double factor = config.isLocal(layer) ? 1 : config.traits().rotary().factor();
        double[][] angles = new double[rows][];
        for (int row = 0; row < rows; row++) {
            angles[row] = RotaryTable.row(batch.positions()[row], frequencies, factor);
        }
        INDArray table = Nd4j.createFromArray(angles).castTo(type);
        INDArray cos = table.get(NDArrayIndex.all(), NDArrayIndex.interval(0, half)).dup('c').reshape(rows, 1, half);
        INDArray sin = table.get(NDArrayIndex.all(), NDArrayIndex.interval(half, 2 * half)).mul(sign).reshape(rows, 1, half);
        INDArray turned = qkv.get(NDArrayIndex.all(), NDArrayIndex.interval(0, heads * config.headDim()));
        INDArray halves = turned.dup('c').reshape(rows, heads, 2, half);
        INDArray a = halves.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.point(0), NDArrayIndex.all()).dup('c');
        INDArray b = halves.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.point(1), NDArrayIndex.all()).dup('c');
        turned.assign(Nd4j.concat(2, a.mul(cos).subi(b.mul(sin)), b.mul(cos).addi(a.mul(sin)))
                .reshape(rows, (long) heads * config.headDim()));
    }

    /** Returns {@code x·wᵀ}. */
    private static INDArray timesTransposed(INDArray x, INDArray w) {
        return Nd4j.matmul(x, w, false, true, false);
    }

    /** Returns {@code dyᵀ·x}. */
    private static INDArray transposedTimes(INDArray dy, INDArray x) {
        return Nd4j.matmul(dy, x, true, false, false);
    }
}
