package org.potstill.student;

import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.CausalLmConfig;

/**
 * Causal attention with grouped queries (Ainslie et al. 2023), one sequence and one head at a time. The backward pass
 * computes the probabilities again, so that memory grows with the square of one sequence's length, not with
 * sequences, heads and layers as well.
 *
 * <p>A row of {@code qkv} holds the query heads, then the key heads, then the value heads, rotated already.
 */
final class Attention {
    private final CausalLmConfig config;
    private final DataType type;
    private final double scale;
    private Matrix scoreMemory;
    private Matrix gradientMemory;

    Attention(CausalLmConfig config, DataType type) {
        this.config = config;
        this.type = type;
        this.scale = 1 / Math.sqrt(config.headDim());
    }

    void forward(PackedBatch batch, Matrix qkv, Matrix out) {
        reserve(batch.longest());
        for (int s = 0; s < batch.sequences(); s++) {
            Matrix rows = qkv.rows(batch.starts()[s], batch.starts()[s + 1]);
            Matrix outRows = out.rows(batch.starts()[s], batch.starts()[s + 1]);
            Matrix scores = scoreMemory.block(0, rows.rows(), 0, rows.rows());
            for (int h = 0; h < config.numAttentionHeads(); h++) {
                probabilities(rows, h, scores);
                Gemm.times(scores, value(rows, h), head(outRows, h), 0);
            }
        }
    }

    void backward(PackedBatch batch, Matrix qkv, Matrix dOut, Matrix dQkv) {
        reserve(batch.longest());
        int group = config.numAttentionHeads() / config.numKeyValueHeads();
        for (int s = 0; s < batch.sequences(); s++) {
            Matrix rows = qkv.rows(batch.starts()[s], batch.starts()[s + 1]);
            Matrix dRows = dQkv.rows(batch.starts()[s], batch.starts()[s + 1]);
            Matrix dOutRows = dOut.rows(batch.starts()[s], batch.starts()[s + 1]);
            Matrix p = scoreMemory.block(0, rows.rows(), 0, rows.rows());
            Matrix gradient = gradientMemory.block(0, rows.rows(), 0, rows.rows());
            for (int h = 0; h < config.numAttentionHeads(); h++) {
                // The first query head of a group sets the gradient of the shared key and value, the others add.
                double beta = h % group == 0 ? 0 : 1;
                probabilities(rows, h, p);
                Gemm.transposedTimes(p, head(dOutRows, h), value(dRows, h), beta);
                Gemm.timesTransposed(head(dOutRows, h), value(rows, h), gradient, 0);
                Kernels.causalSoftmaxBackward(p, gradient, scale);
                Gemm.times(gradient, key(rows, h), head(dRows, h), 0);
                Gemm.transposedTimes(gradient, head(rows, h), key(dRows, h), beta);
            }
        }
    }

    void free() {
        if (scoreMemory != null) {
            scoreMemory.free();
            gradientMemory.free();
        }
    }

    private void probabilities(Matrix rows, int h, Matrix scores) {
        Gemm.timesTransposed(head(rows, h), key(rows, h), scores, 0);
        Kernels.causalSoftmax(scores, scale);
    }

    private Matrix head(Matrix rows, int h) {
        return rows.block(0, rows.rows(), h * config.headDim(), (h + 1) * config.headDim());
    }

    private Matrix key(Matrix rows, int h) {
        int group = config.numAttentionHeads() / config.numKeyValueHeads();
        return head(rows, config.numAttentionHeads() + h / group);
    }

    private Matrix value(Matrix rows, int h) {
        int group = config.numAttentionHeads() / config.numKeyValueHeads();
        return head(rows, config.numAttentionHeads() + config.numKeyValueHeads() + h / group);
    }

    private void reserve(int length) {
        if (scoreMemory == null || scoreMemory.rows() < length) {
            free();
            scoreMemory = Matrix.allocate(type, length, length);
            gradientMemory = Matrix.allocate(type, length, length);
        }
    }
}
