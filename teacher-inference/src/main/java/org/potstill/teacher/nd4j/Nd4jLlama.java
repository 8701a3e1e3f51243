// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import static org.potstill.checkpoints.model.LlamaTensors.EMBEDDING;
import static org.potstill.checkpoints.model.LlamaTensors.FINAL_NORM;
import static org.potstill.checkpoints.model.LlamaTensors.HEAD;

import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.impl.transforms.strict.Swish;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.ops.transforms.Transforms;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.teacher.scoring.InputLimits;

/**
 * The forward pass of a Llama-family decoder (Touvron et al. 2023, arXiv 2302.13971) in ND4J operations, on CPU or CUDA,
 * one sequence at a time. Activations are {@code [T, hiddenSize]}, weights {@code [out, in]} as in the checkpoint.
 *
 * <p>Intermediate results of a layer are in a workspace that the next layer reuses.
 */
final class Nd4jLlama implements Nd4jModel {
    /** Logits computed at once: 64 MiB of floats. */
    private static final int LOGITS_AT_ONCE = 1 << 24;

    private final CausalLmConfig config;
    private final Nd4jWeights weights;
    /** Attention for the length of the last sequence. */
    private Nd4jAttention attention;

    /** Reads the weights; the checkpoint is not needed afterwards. */
    Nd4jLlama(Checkpoint checkpoint) {
        this.config = checkpoint.config();
        this.weights = Nd4jWeights.read(checkpoint);
    }

    @Override
    public InputLimits limits() {
        return new InputLimits(config.vocabSize(), config.maxPositionEmbeddings());
    }

    @Override
    public void logits(int[] ids, int positions, LogitRows rows) {
        prepareAttention(ids.length);
        try (INDArray x = Nd4j.pullRows(weights.get(EMBEDDING), 1, ids, 'c')) {
            for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
                try (MemoryWorkspace scratch = Nd4jArrays.scratch()) {
                    INDArray normed = rmsNorm(x, weight(layer, "input_layernorm"));
                    INDArray q = linear(normed, weight(layer, "self_attn.q_proj"));
                    INDArray k = linear(normed, weight(layer, "self_attn.k_proj"));
                    INDArray v = linear(normed, weight(layer, "self_attn.v_proj"));
                    x.addi(linear(attention.attend(q, k, v), weight(layer, "self_attn.o_proj")));

                    normed = rmsNorm(x, weight(layer, "post_attention_layernorm"));
                    INDArray gate = silu(linear(normed, weight(layer, "mlp.gate_proj")));
                    INDArray up = linear(normed, weight(layer, "mlp.up_proj"));
                    x.addi(linear(gate.muli(up), weight(layer, "mlp.down_proj")));
                }
            }
            head(x, positions, rows);
        }
    }

    private void head(INDArray x, int positions, LogitRows rows) {
        INDArray table = weights.get(config.tieWordEmbeddings() ? EMBEDDING : HEAD);
        int atOnce = Math.min(positions, Math.max(1, LOGITS_AT_ONCE / config.vocabSize()));
        try (MemoryWorkspace scratch = Nd4jArrays.scratch()) {
            INDArray normed = rmsNorm(x, weights.get(FINAL_NORM));
            INDArray logits = Nd4jArrays.allocate(atOnce, config.vocabSize());
            for (int from = 0; from < positions; from += atOnce) {
                int count = Math.min(atOnce, positions - from);
                rows.accept(from, count, Nd4jArrays.toHeap(Nd4jArrays.multiplyTransposed(
                        Nd4jArrays.rows(normed, from, from + count), table, Nd4jArrays.rows(logits, 0, count))));
            }
        }
    }

    /**
     * Computes RMSNorm: x / √(mean(x²) + ε) · g (Zhang and Sennrich 2019, arXiv 1910.07467). The factors of all elements
     * are a matrix product of the column of scales with the row g, as broadcasting a column in ND4J is 50 times slower.
     */
    private INDArray rmsNorm(INDArray x, INDArray gain) {
        INDArray meanSquare = x.mul(x).mean(true, 1);
        INDArray scale = Transforms.sqrt(meanSquare.addi(config.rmsNormEps()), false).rdivi(1);
        return Nd4jArrays.multiply(scale, gain, Nd4jArrays.allocate(x.rows(), x.columns())).muli(x);
    }

    private static INDArray silu(INDArray x) {
        return Nd4j.exec(new Swish(x, x));
    }

    /** Computes x · Wᵀ. */
    private static INDArray linear(INDArray x, INDArray weight) {
        return Nd4jArrays.multiplyTransposed(x, weight, Nd4jArrays.allocate(x.rows(), weight.rows()));
    }

    private INDArray weight(int layer, String part) {
        return weights.get(LlamaTensors.layer(layer, part));
    }

    private void prepareAttention(int length) {
        if (attention == null || attention.length() != length) {
            closeAttention();
            attention = new Nd4jAttention(config, length);
        }
    }

    private void closeAttention() {
        if (attention != null) {
            attention.close();
            attention = null;
        }
    }

    @Override
    public void close() {
        closeAttention();
        weights.close();
        Nd4j.getWorkspaceManager().destroyAllWorkspacesForCurrentThread();
    }
}
