// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.kernels.Kernels;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Products;
import org.potstill.kernels.Slices;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.SoftTargetLoss;
import org.potstill.student.loss.StepLoss;

/**
 * The head and the loss in one pass over chunks of positions, so that no {@code [positions, vocabSize]} tensor is ever held:
 * memory does not depend on the batch, nor on the vocabulary above {@code LOGITS / MAX_CHUNK} tokens.
 *
 * <p>Threads work on parts of the vocabulary. Each part's contribution to the gradient of the hidden state is kept
 * separately, and these are summed in order.
 */
public final class LanguageModelHead {
    /** Logits held at once: enough positions for efficient matrix products with any vocabulary. */
    private static final int LOGITS = 1 << 24;
    private static final int MAX_CHUNK = 512;
    private static final int MIN_CHUNK = 16;
    public static final int PARTS = 16;
    private static final int ROW_GAP = 16;

    private final DataType type;
    private final int vocabSize;
    private final Objective objective;
    private final int chunk;
    /** Softcap of the logits; 0 for none. */
    private final double cap;
    private Matrix logitMemory;
    /** Derivatives of softcapped logits; null without a softcap. */
    private Matrix slopeMemory;
    private Matrix partMemory;

    public LanguageModelHead(int vocabSize, DataType type, Objective objective) {
        this(vocabSize, type, objective, 0);
    }

    /** @param cap softcap of the logits (see {@link org.potstill.checkpoints.model.Traits.Softcaps}); 0 for none */
    LanguageModelHead(int vocabSize, DataType type, Objective objective, double cap) {
        this.vocabSize = vocabSize;
        this.cap = cap;
        this.type = type;
        this.objective = objective;
        this.chunk = chunk(vocabSize);
    }

    /** Returns the number of positions whose logits are held at once. */
    public static int chunk(int vocabSize) {
        return Math.max(MIN_CHUNK, Math.min(MAX_CHUNK, LOGITS / vocabSize));
    }

    StepLoss loss(Products linear, PackedBatch.Targets targets, double alpha, Matrix hidden, Matrix head) {
        return run(linear, targets, alpha, hidden, head, null, null);
    }

    /**
     * Computes the loss and its gradient.
     *
     * @param hidden  normed hidden states, {@code [rows, hiddenSize]}
     * @param dHidden overwritten with the gradient with respect to {@code hidden}
     * @param dHead   overwritten with the gradient with respect to the head's weight
     */
    public StepLoss lossAndGradient(Products linear, PackedBatch.Targets targets, double alpha, Matrix hidden, Matrix head,
            Matrix dHidden, Matrix dHead) {
        return run(linear, targets, alpha, hidden, head, dHidden, dHead);
    }

    /** Computes the logits, {@code [rows, vocabSize]}. */
    void logits(Products linear, Matrix hidden, Matrix head, Matrix logits) {
        logits(linear, hidden, head, logits, null);
    }

    /** @param slope see {@link Kernels#softcap} */
    private void logits(Products linear, Matrix hidden, Matrix head, Matrix logits, Matrix slope) {
        Slices.each(PARTS, part -> {
            linear.timesTransposed(hidden, part(head, part), columns(logits, part), 0);
            if (cap > 0) {
                Kernels.softcap(columns(logits, part), 1, cap, slope == null ? null : columns(slope, part));
            }
        });
    }

    void free() {
        if (logitMemory != null) {
            logitMemory.free();
        }
        if (slopeMemory != null) {
            slopeMemory.free();
        }
        if (partMemory != null) {
            partMemory.free();
        }
    }

    private StepLoss run(Products linear, PackedBatch.Targets targets, double alpha, Matrix hidden, Matrix head,
            Matrix dHidden, Matrix dHead) {
        int rows = hidden.rows();
        boolean gradient = dHidden != null;
        reserve(Math.min(rows, chunk), gradient ? hidden.columns() : 0);
        SoftTargetLoss loss = new SoftTargetLoss(targets, objective, alpha, gradient);
        for (int from = 0; from < rows; from += chunk) {
            int first = from;
            int to = Math.min(rows, from + chunk);
            Matrix logits = logitMemory.rows(0, to - from);
            Matrix slope = slopeMemory == null ? null : slopeMemory.rows(0, to - from);
            logits(linear, hidden.rows(from, to), head, logits, slope);
            Slices.run(to - from, (begin, end) -> loss.rows(logits, first, begin, end));
            if (gradient) {
                Slices.each(PARTS, part -> {
                    Matrix dLogits = columns(logits, part);
                    if (slope != null) {
                        Kernels.multiply(columns(slope, part), dLogits);
                    }
                    linear.times(dLogits, part(head, part), share(part, to - first), 0);
                    linear.transposedTimes(dLogits, hidden.rows(first, to), part(dHead, part), first == 0 ? 0 : 1);
                });
                Slices.run(to - from, (begin, end) -> {
                    Matrix sum = dHidden.rows(first + begin, first + end);
                    Kernels.copy(share(0, to - first).rows(begin, end), sum);
                    for (int part = 1; part < PARTS; part++) {
                        Kernels.add(share(part, to - first).rows(begin, end), sum);
                    }
                });
            }
        }
        return loss.mean();
    }

    private void reserve(int rows, int hiddenSize) {
        if (logitMemory == null || logitMemory.rows() < rows) {
            free();
            // Rows whose length is a power of two would all map to the same few cache sets.
            logitMemory = Matrix.allocate(type, rows, vocabSize + ROW_GAP).block(0, rows, 0, vocabSize);
            slopeMemory = null;
            partMemory = null;
        }
        if (cap > 0 && hiddenSize > 0 && slopeMemory == null) {
            slopeMemory = Matrix.allocate(type, logitMemory.rows(), vocabSize + ROW_GAP).block(0, logitMemory.rows(), 0, vocabSize);
        }
        if (hiddenSize > 0 && partMemory == null) {
            partMemory = Matrix.allocate(type, PARTS * logitMemory.rows(), hiddenSize);
        }
    }

    private int begin(int part) {
        return (int) ((long) vocabSize * part / PARTS);
    }

    private Matrix part(Matrix table, int part) {
        return table.rows(begin(part), begin(part + 1));
    }

    private Matrix columns(Matrix logits, int part) {
        return logits.block(0, logits.rows(), begin(part), begin(part + 1));
    }

    private Matrix share(int part, int rows) {
        return partMemory.rows(part * logitMemory.rows(), part * logitMemory.rows() + rows);
    }
}
