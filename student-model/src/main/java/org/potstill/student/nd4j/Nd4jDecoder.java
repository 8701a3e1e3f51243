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
    private final Nd4jHead head;
    private Weights<INDArray> weights;
    private Weights<INDArray> gradients;

    /**
     * Activations that a layer keeps for its backward pass; {@code input} and {@code middle} are the residual stream before and
     * after attention.
     *
     * @param unnormed queries and keys before their per-head norms, {@code [rows·heads, headDim]}; null in models without them
     */
    private record Block(INDArray input, INDArray[] unnormed, INDArray qkv, INDArray attended, INDArray middle, INDArray gateUp) {
    }

    public Nd4jDecoder(CausalLmConfig config, DataType type, Objective objective) {
        this.config = config;
        this.type = type;
        this.head = new Nd4jHead(config.vocabSize(), objective);
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
            return logits.assign(timesTransposed(normed(forward(batch, new ArrayList<>())), weights.head()));
        }
    }

    @Override
    public StepLoss lossAndGradient(PackedBatch batch, double alpha) {
        try (MemoryWorkspace scratch = scratch()) {
            List<Block> blocks = new ArrayList<>();
            INDArray last = forward(batch, blocks);
            INDArray dNormed = Nd4j.zeros(type, last.shape());
            StepLoss loss = head.loss(batch.targets(), alpha, normed(last), weights.head(), dNormed, gradients.head());
            INDArray dStream = rmsNormBackward(dNormed, last, weights.norm(), gradients.norm());
            for (int i = blocks.size() - 1; i >= 0; i--) {
                dStream = backward(batch, i, blocks.get(i), dStream);
            }
            if (!config.tieWordEmbeddings()) {
                gradients.embedTokens().assign(0);
            }
            head.addRows(gradients.embedTokens(), batch.ids(), dStream);
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
        INDArray stream = Nd4j.pullRows(weights.embedTokens(), 1, batch.ids());
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            Weights.Block<INDArray> w = weights.blocks().get(i);
            INDArray qkv = linear(rmsNorm(stream, w.inputLayernorm()), w.qkvProj(), w.qkvBias());
            INDArray[] unnormed = config.headNorms() ? normHeads(qkv, w) : null;
            rotate(batch, qkv, 1);
            INDArray attended = Nd4jAttention.forward(config, batch, qkv, config.slidingWindow(i));
            INDArray middle = stream.add(linear(attended, w.oProj(), w.oBias()));
            INDArray gateUp = linear(rmsNorm(middle, w.postAttentionLayernorm()), w.gateUpProj(), w.gateUpBias());
            blocks.add(new Block(stream, unnormed, qkv, attended, middle, gateUp));
            stream = middle.add(linear(activated(gateUp), w.downProj(), w.downBias()));
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

    /** Normalises each query and key head in place; returns copies of the original queries and keys. */
    private INDArray[] normHeads(INDArray qkv, Weights.Block<INDArray> w) {
        INDArray[] unnormed = {heads(queries(qkv)), heads(keys(qkv))};
        queries(qkv).assign(rmsNorm(unnormed[0], w.queryNorm()).reshape(queries(qkv).shape()));
        keys(qkv).assign(rmsNorm(unnormed[1], w.keyNorm()).reshape(keys(qkv).shape()));
        return unnormed;
    }

    private void normHeadsBackward(INDArray dQkv, INDArray[] unnormed, Weights.Block<INDArray> w, Weights.Block<INDArray> dw) {
        INDArray dQueries = rmsNormBackward(heads(queries(dQkv)), unnormed[0], w.queryNorm(), dw.queryNorm());
        INDArray dKeys = rmsNormBackward(heads(keys(dQkv)), unnormed[1], w.keyNorm(), dw.keyNorm());
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

    /** Copies adjacent heads to one row per head. */
    private INDArray heads(INDArray x) {
        return x.dup('c').reshape(x.length() / config.headDim(), config.headDim());
    }

    /** Backpropagates from the layer's output to its input; overwrites the gradients of the layer's weights. */
    private INDArray backward(PackedBatch batch, int layer, Block block, INDArray dOutput) {
        Weights.Block<INDArray> w = weights.blocks().get(layer);
        Weights.Block<INDArray> dw = gradients.blocks().get(layer);
        biasGradient(dOutput, dw.downBias());
        dw.downProj().assign(transposedTimes(dOutput, activated(block.gateUp())));
        INDArray dGateUp = swiGluBackward(block.gateUp(), dOutput.mmul(w.downProj()));
        biasGradient(dGateUp, dw.gateUpBias());
        dw.gateUpProj().assign(transposedTimes(dGateUp, rmsNorm(block.middle(), w.postAttentionLayernorm())));
        INDArray dMiddle = dOutput.add(rmsNormBackward(dGateUp.mmul(w.gateUpProj()), block.middle(), w.postAttentionLayernorm(),
                dw.postAttentionLayernorm()));

        biasGradient(dMiddle, dw.oBias());
        dw.oProj().assign(transposedTimes(dMiddle, block.attended()));
        INDArray dQkv = Nd4jAttention.backward(config, batch, block.qkv(), dMiddle.mmul(w.oProj()), config.slidingWindow(layer));
        rotate(batch, dQkv, -1);
        if (config.headNorms()) {
            normHeadsBackward(dQkv, block.unnormed(), w, dw);
        }
        biasGradient(dQkv, dw.qkvBias());
        dw.qkvProj().assign(transposedTimes(dQkv, rmsNorm(block.input(), w.inputLayernorm())));
        return dMiddle.add(rmsNormBackward(dQkv.mmul(w.qkvProj()), block.input(), w.inputLayernorm(), dw.inputLayernorm()));
    }

    private INDArray normed(INDArray stream) {
        return rmsNorm(stream, weights.norm());
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

    private static INDArray activated(INDArray gateUp) {
        INDArray gate = half(gateUp, 0);
        return Transforms.sigmoid(gate).muli(gate).muli(half(gateUp, 1));
    }

    private static INDArray swiGluBackward(INDArray gateUp, INDArray dActivated) {
        INDArray gate = half(gateUp, 0);
        INDArray sigmoid = Transforms.sigmoid(gate);
        INDArray dSilu = sigmoid.mul(gate.mul(sigmoid.rsub(1)).addi(1));
        return Nd4j.concat(1, dSilu.muli(half(gateUp, 1)).muli(dActivated), sigmoid.mul(gate).muli(dActivated));
    }

    private static INDArray half(INDArray x, int which) {
        long width = x.size(1) / 2;
        return x.get(NDArrayIndex.all(), NDArrayIndex.interval(which * width, (which + 1) * width)).dup('c');
    }

    /** Rotates dimensions j and j + headDim / 2 of each query and key head together, in place. */
    private void rotate(PackedBatch batch, INDArray qkv, int sign) {
        int rows = batch.rows();
        int half = config.headDim() / 2;
        int heads = config.numAttentionHeads() + config.numKeyValueHeads();
        float[] frequencies = config.rotaryFrequencies();
        double[][] angles = new double[rows][];
        for (int row = 0; row < rows; row++) {
            angles[row] = RotaryTable.row(batch.positions()[row], frequencies, config.traits().rotary().factor());
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
