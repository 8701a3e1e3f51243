package org.potstill.student;

import org.nd4j.linalg.api.buffer.DataType;

/**
 * The tied head and the loss in one pass over chunks of positions, so that no {@code [positions, vocabSize]} tensor
 * is ever held.
 */
final class LanguageModelHead {
    /** Positions at once: enough for an efficient matrix product, few enough to keep memory small. */
    private static final int CHUNK = 256;

    private final DataType type;
    private final int vocabSize;
    private final double alpha;
    private Matrix logitMemory;

    LanguageModelHead(int vocabSize, DataType type, double alpha) {
        this.vocabSize = vocabSize;
        this.type = type;
        this.alpha = alpha;
    }

    StepLoss loss(PackedBatch.Targets targets, Matrix hidden, Matrix embedTokens) {
        return run(targets, hidden, embedTokens, null, null);
    }

    /**
     * @param hidden normed, {@code [rows, hiddenSize]}
     * @param dHidden replaced by the gradient by {@code hidden}
     * @param dEmbedTokens replaced by the gradient by the head's weight
     */
    StepLoss lossAndGradient(PackedBatch.Targets targets, Matrix hidden, Matrix embedTokens, Matrix dHidden,
            Matrix dEmbedTokens) {
        return run(targets, hidden, embedTokens, dHidden, dEmbedTokens);
    }

    void free() {
        if (logitMemory != null) {
            logitMemory.free();
        }
    }

    private StepLoss run(PackedBatch.Targets targets, Matrix hidden, Matrix embedTokens, Matrix dHidden,
            Matrix dEmbedTokens) {
        int rows = hidden.rows();
        int positions = targets.count();
        boolean gradient = dHidden != null;
        if (logitMemory == null) {
            logitMemory = Matrix.allocate(type, CHUNK, vocabSize);
        }
        SoftTargetLoss loss = new SoftTargetLoss(targets, alpha, 1.0 / positions, gradient);
        for (int from = 0; from < rows; from += CHUNK) {
            int first = from;
            int to = Math.min(rows, from + CHUNK);
            Matrix logits = logitMemory.rows(0, to - from);
            Gemm.timesTransposed(hidden.rows(from, to), embedTokens, logits, 0);
            Slices.run(to - from, (begin, end) -> loss.rows(logits, first, begin, end));
            if (gradient) {
                Gemm.times(logits, embedTokens, dHidden.rows(from, to), 0);
                Gemm.transposedTimes(logits, hidden.rows(from, to), dEmbedTokens, from == 0 ? 0 : 1);
            }
        }
        return loss.mean(positions);
    }
}
