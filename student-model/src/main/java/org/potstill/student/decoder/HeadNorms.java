// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.Traits;
import org.potstill.kernels.Kernels;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Row;

/**
 * RMSNorm of queries and keys before the rotary embedding: of each head, as in Qwen3 (Yang et al. 2025, arXiv 2505.09388), or of
 * all heads together, as in OLMo 2 (arXiv 2501.00656).
 */
final class HeadNorms {
    private final CausalLmConfig config;
    /** Number of norms of queries, and of keys. */
    private final int ofQueries;
    private final int ofKeys;

    HeadNorms(CausalLmConfig config) {
        this.config = config;
        boolean each = config.traits().headNorms() == Traits.HeadNorms.EACH;
        this.ofQueries = each ? config.numAttentionHeads() : 1;
        this.ofKeys = each ? config.numKeyValueHeads() : 1;
    }

    /**
     * Normalises the query and key heads of {@code qkv} in place.
     *
     * @param unnormed receives a copy of the original values
     */
    void forward(Matrix qkv, Matrix unnormed, Weights.Block<Matrix> w) {
        Kernels.copy(qkv.block(0, qkv.rows(), 0, unnormed.columns()), unnormed);
        for (int i = 0; i < ofQueries + ofKeys; i++) {
            Kernels.rmsNorm(part(unnormed, i), isQuery(i) ? w.queryNorm() : w.keyNorm(), config.rmsNormEps(), part(qkv, i));
        }
    }

    /** Replaces the gradient with respect to the output of {@link #forward} by the gradient with respect to {@code unnormed}. */
    void backward(Matrix dQkv, Matrix unnormed, Weights.Block<Matrix> w, Row dQueryNorm, Row dKeyNorm) {
        for (int i = 0; i < ofQueries + ofKeys; i++) {
            Kernels.rmsNormBackward(part(dQkv, i), part(unnormed, i), isQuery(i) ? w.queryNorm() : w.keyNorm(), config.rmsNormEps(),
                    isQuery(i) ? dQueryNorm : dKeyNorm);
        }
    }

    private boolean isQuery(int i) {
        return i < ofQueries;
    }

    /** Returns the columns of one norm. */
    private Matrix part(Matrix rows, int i) {
        int queries = config.numAttentionHeads() * config.headDim();
        int width = isQuery(i) ? queries / ofQueries : config.numKeyValueHeads() * config.headDim() / ofKeys;
        int from = isQuery(i) ? i * width : queries + (i - ofQueries) * width;
        return rows.block(0, rows.rows(), from, from + width);
    }
}
