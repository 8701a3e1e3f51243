// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.Kernels;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Products;
import org.potstill.kernels.Slices;
import org.potstill.student.batch.PackedBatch;

/**
 * Causal grouped-query attention (Ainslie et al. 2023). The query heads of a sequence that share a key head are one piece of
 * work. The backward pass recomputes the probabilities, so memory grows with the square of the longest sequence's length, not
 * with the number of sequences, heads and layers as well.
 *
 * <p>A row of {@code qkv} holds the query heads, the key heads and the value heads, in this order; queries and keys are already
 * rotated.
 */
final class Attention {
    /**
     * Scratch memory for one head, {@code [longest, longest]} each.
     *
     * @param slope derivative of softcapped scores; null in models without a softcap
     */
    private record Scratch(Matrix scores, Matrix gradient, Matrix slope) {
        void free() {
            scores.free();
            gradient.free();
            if (slope != null) {
                slope.free();
            }
        }
    }

    private final CausalLmConfig config;
    private final DataType type;
    private final double scale;
    /** Softcap of the scaled scores; 0 for none. */
    private final double cap;
    private final int group;
    /** Free scratch memory: at most one per thread that has run concurrently. */
    private final Queue<Scratch> idle = new ConcurrentLinkedQueue<>();

    Attention(CausalLmConfig config, DataType type) {
        this.config = config;
        this.type = type;
        this.scale = config.attentionScale();
        this.cap = config.traits().softcaps().attention();
        this.group = config.numAttentionHeads() / config.numKeyValueHeads();
    }

    /**
     * Computes the attention of all heads.
     *
     * @param window number of keys that a query sees, including its own; 0 for all up to its own
     */
    void forward(PackedBatch batch, Matrix qkv, Matrix out, int window) {
        eachGroup(batch, (from, to, keyHead, scratch) -> {
            Matrix rows = qkv.rows(from, to);
            Matrix p = scratch.scores().block(0, to - from, 0, to - from);
            for (int h = keyHead * group; h < (keyHead + 1) * group; h++) {
                probabilities(rows, h, p, null, window);
                Products.exact().times(p, value(rows, h), head(out.rows(from, to), h), 0);
            }
        });
    }

    void backward(PackedBatch batch, Matrix qkv, Matrix dOut, Matrix dQkv, int window) {
        eachGroup(batch, (from, to, keyHead, scratch) -> {
            Matrix rows = qkv.rows(from, to);
            Matrix dRows = dQkv.rows(from, to);
            Matrix p = scratch.scores().block(0, to - from, 0, to - from);
            Matrix dP = scratch.gradient().block(0, to - from, 0, to - from);
            Matrix slope = cap == 0 ? null : scratch.slope().block(0, to - from, 0, to - from);
            for (int h = keyHead * group; h < (keyHead + 1) * group; h++) {
                // The first query head of a group overwrites the gradient of the shared key and value; the others add to it.
                double beta = h % group == 0 ? 0 : 1;
                Matrix dHead = head(dOut.rows(from, to), h);
                probabilities(rows, h, p, slope, window);
                Products.exact().transposedTimes(p, dHead, value(dRows, h), beta);
                Products.exact().timesTransposed(dHead, value(rows, h), dP, 0);
                Kernels.causalSoftmaxBackward(p, dP, cap == 0 ? scale : 1, window);
                if (slope != null) {
                    Kernels.multiply(slope, dP);
                }
                Products.exact().times(dP, key(rows, h), head(dRows, h), 0);
                Products.exact().transposedTimes(dP, head(rows, h), key(dRows, h), beta);
            }
        });
    }

    void free() {
        for (Scratch scratch = idle.poll(); scratch != null; scratch = idle.poll()) {
            scratch.free();
        }
    }

    @FunctionalInterface
    private interface GroupWork {
        void run(int from, int to, int keyHead, Scratch scratch);
    }

    private void eachGroup(PackedBatch batch, GroupWork work) {
        int longest = batch.longest();
        List<Runnable> pieces = new ArrayList<>();
        for (int s = 0; s < batch.sequences(); s++) {
            int from = batch.starts()[s];
            int to = batch.starts()[s + 1];
            for (int h = 0; h < config.numKeyValueHeads(); h++) {
                int keyHead = h;
                pieces.add(() -> {
                    Scratch scratch = take(longest);
                    work.run(from, to, keyHead, scratch);
                    idle.add(scratch);
                });
            }
        }
        Slices.all(pieces);
    }

    private Scratch take(int longest) {
        Scratch scratch = idle.poll();
        if (scratch != null && scratch.scores().rows() < longest) {
            scratch.free();
            scratch = null;
        }
        return scratch != null ? scratch
                : new Scratch(Matrix.allocate(type, longest, longest), Matrix.allocate(type, longest, longest),
                        cap == 0 ? null : Matrix.allocate(type, longest, longest));
    }

    /** @param slope see {@link Kernels#softcap} */
    private void probabilities(Matrix rows, int h, Matrix scores, Matrix slope, int window) {
        Products.exact().timesTransposed(head(rows, h), key(rows, h), scores, 0);
        if (cap > 0) {
            Kernels.softcap(scores, scale, cap, slope);
        }
        Kernels.causalSoftmax(scores, cap == 0 ? scale : 1, window);
    }

    private Matrix head(Matrix rows, int h) {
        return rows.block(0, rows.rows(), h * config.headDim(), (h + 1) * config.headDim());
    }

    private Matrix key(Matrix rows, int h) {
        return head(rows, config.numAttentionHeads() + h / group);
    }

    private Matrix value(Matrix rows, int h) {
        return head(rows, config.numAttentionHeads() + config.numKeyValueHeads() + h / group);
    }
}
