// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.nd4j;

import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.impl.transforms.custom.SoftMax;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.ops.transforms.Transforms;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.batch.PackedBatch;

/**
 * Causal grouped-query attention for {@link Nd4jDecoder}: all sequences and heads in one batch of matrix products. The
 * queries that share a key head are stacked, {@code [sequences·keyHeads, group·time, headDim]}.
 *
 * <p>Sequences are padded on the right: the causal mask hides padding keys, and padding contributes no gradient.
 */
final class Nd4jAttention {
    private final CausalLmConfig config;
    private final PackedBatch batch;
    private final int time;
    private final int window;
    private final INDArray queries;
    private final INDArray keys;
    private final INDArray values;
    private final INDArray probabilities;
    /** Derivative of softcapped scores; null in models without a softcap. */
    private final INDArray slope;

    private Nd4jAttention(CausalLmConfig config, PackedBatch batch, INDArray qkv, int window) {
        this.config = config;
        this.batch = batch;
        this.window = window == 0 ? Integer.MAX_VALUE : window;
        this.time = batch.longest();
        int heads = config.numAttentionHeads();
        int keyHeads = config.numKeyValueHeads();
        INDArray padded = padded(qkv);
        queries = split(padded, 0, heads);
        keys = split(padded, heads, keyHeads);
        values = split(padded, heads + keyHeads, keyHeads);
        INDArray scores = Nd4j.matmul(queries, keys, false, true, false).muli(config.attentionScale());
        double cap = config.traits().softcaps().attention();
        if (cap == 0) {
            slope = null;
        } else {
            INDArray tanh = Transforms.tanh(scores.divi(cap), false);
            scores = tanh.mul(cap);
            slope = tanh.muli(tanh).rsubi(1);
        }
        probabilities = Nd4j.exec(new SoftMax(scores.add(unseen()), scores, 2))[0];
    }

    /**
     * Computes the attention of all heads.
     *
     * @param window number of keys that a query sees, including its own; 0 for all up to its own
     * @return {@code [rows, heads·headDim]}
     */
    static INDArray forward(CausalLmConfig config, PackedBatch batch, INDArray qkv, int window) {
        Nd4jAttention attention = new Nd4jAttention(config, batch, qkv, window);
        return attention.packed(attention.merged(Nd4j.matmul(attention.probabilities, attention.values),
                config.numAttentionHeads()));
    }

    /** Returns the gradient with respect to {@code qkv}. */
    static INDArray backward(CausalLmConfig config, PackedBatch batch, INDArray qkv, INDArray dAttended, int window) {
        Nd4jAttention attention = new Nd4jAttention(config, batch, qkv, window);
        return attention.packed(attention.backward(attention.padded(dAttended)));
    }

    private INDArray backward(INDArray dAttended) {
        INDArray p = probabilities;
        INDArray dOut = split(dAttended, 0, config.numAttentionHeads());
        INDArray dValues = Nd4j.matmul(p, dOut, true, false, false);
        INDArray dP = Nd4j.matmul(dOut, values, false, true, false);
        INDArray dScores = dP.sub(dP.mul(p).sum(true, 2)).muli(p).muli(config.attentionScale());
        dScores = slope == null ? dScores : dScores.muli(slope);
        INDArray dQueries = Nd4j.matmul(dScores, keys);
        INDArray dKeys = Nd4j.matmul(dScores, queries, true, false, false);
        return Nd4j.concat(2, merged(dQueries, config.numAttentionHeads()), merged(dKeys, config.numKeyValueHeads()),
                merged(dValues, config.numKeyValueHeads()));
    }

    /** Returns the additive mask, {@code [1, group·time, time]}: a large negative value for each key that a query may not see. */
    private INDArray unseen() {
        int group = config.numAttentionHeads() / config.numKeyValueHeads();
        float[][] mask = new float[group * time][time];
        for (int row = 0; row < mask.length; row++) {
            int query = row % time;
            for (int key = 0; key < time; key++) {
                mask[row][key] = key > query || query - key >= window ? -1e30f : 0;
            }
        }
        return Nd4j.createFromArray(mask).castTo(queries.dataType()).reshape(1, mask.length, time);
    }

    /** Pads {@code [rows, n]} to {@code [sequences, time, n]}. */
    private INDArray padded(INDArray x) {
        INDArray padded = Nd4j.zeros(x.dataType(), batch.sequences(), time, x.size(1));
        for (int s = 0; s < batch.sequences(); s++) {
            int from = batch.starts()[s];
            int to = batch.starts()[s + 1];
            padded.get(NDArrayIndex.point(s), NDArrayIndex.interval(0, to - from), NDArrayIndex.all())
                    .assign(x.get(NDArrayIndex.interval(from, to), NDArrayIndex.all()));
        }
        return padded;
    }

    private INDArray packed(INDArray x) {
        INDArray packed = Nd4j.createUninitialized(x.dataType(), batch.rows(), x.size(2));
        for (int s = 0; s < batch.sequences(); s++) {
            int from = batch.starts()[s];
            int to = batch.starts()[s + 1];
            packed.get(NDArrayIndex.interval(from, to), NDArrayIndex.all())
                    .assign(x.get(NDArrayIndex.point(s), NDArrayIndex.interval(0, to - from), NDArrayIndex.all()));
        }
        return packed;
    }

    /** Returns {@code n} heads from {@code first} of {@code [sequences, time, …]} as {@code [sequences·keyHeads, …·time, headDim]}. */
    private INDArray split(INDArray padded, int first, int n) {
        int dim = config.headDim();
        int keyHeads = config.numKeyValueHeads();
        return padded.get(NDArrayIndex.all(), NDArrayIndex.all(), NDArrayIndex.interval(first * dim, (first + n) * dim)).dup('c')
                .reshape(batch.sequences(), time, n, dim).permute(0, 2, 1, 3).dup('c')
                .reshape((long) batch.sequences() * keyHeads, (long) n / keyHeads * time, dim);
    }

    /** Reverses {@link #split}, to {@code [sequences, time, n·headDim]}. */
    private INDArray merged(INDArray x, int n) {
        return x.reshape(batch.sequences(), n, time, config.headDim()).permute(0, 2, 1, 3).dup('c')
                .reshape(batch.sequences(), time, (long) n * config.headDim());
    }
}
