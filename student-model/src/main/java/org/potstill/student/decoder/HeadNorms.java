// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.kernels.Kernels;
import org.potstill.student.kernels.Matrix;
import org.potstill.student.kernels.Row;

/** Per-head RMSNorm of queries and keys before the rotary embedding, as in Qwen3 (Yang et al. 2025, arXiv 2505.09388). */
final class HeadNorms {
    private final CausalLmConfig config;

    HeadNorms(CausalLmConfig config) {
        this.config = config;
    }

    /**
     * Normalises the query and key heads of {@code qkv} in place.
     *
     * @param unnormed receives a copy of the original values
     */
    void forward(Matrix qkv, Matrix unnormed, Weights.Block<Matrix> w) {
        Kernels.copy(qkv.block(0, qkv.rows(), 0, unnormed.columns()), unnormed);
        for (int h = 0; h < config.numAttentionHeads() + config.numKeyValueHeads(); h++) {
            Kernels.rmsNorm(head(unnormed, h), isQuery(h) ? w.queryNorm() : w.keyNorm(), config.rmsNormEps(), head(qkv, h));
        }
    }

    /** Replaces the gradient with respect to the output of {@link #forward} by the gradient with respect to {@code unnormed}. */
    void backward(Matrix dQkv, Matrix unnormed, Weights.Block<Matrix> w, Row dQueryNorm, Row dKeyNorm) {
        for (int h = 0; h < config.numAttentionHeads() + config.numKeyValueHeads(); h++) {
            Kernels.rmsNormBackward(head(dQkv, h), head(unnormed, h), isQuery(h) ? w.queryNorm() : w.keyNorm(), config.rmsNormEps(),
                    isQuery(h) ? dQueryNorm : dKeyNorm);
        }
    }

    private boolean isQuery(int h) {
        return h < config.numAttentionHeads();
    }

    private Matrix head(Matrix rows, int h) {
        return rows.block(0, rows.rows(), h * config.headDim(), (h + 1) * config.headDim());
    }
}
