// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.potstill.kernels.FloatValues;
import org.potstill.kernels.Row;
import org.potstill.kernels.RowMatrix;

/** The language-model head of a {@link PackedDecoder}: the logits of some rows at a time, a chunk of ids after another. */
final class HeadScores implements AutoCloseable {
    /** Logits in memory per thread, if draws need those of all ids: 64 MiB. */
    private static final int MAX_LOGITS = 1 << 24;

    private final DecoderWeights weights;
    private final double cap;
    private final int rows;
    private final Queue<Memory> idle = new ConcurrentLinkedQueue<>();

    /** Logits of a thread's rows by chunk, the later ones made when draws need them. */
    private final class Memory {
        private final RowMatrix[] chunks = new RowMatrix[weights.chunks()];
        private final FloatValues row = Row.ofFloats(DecoderWeights.CHUNK);
        private final FloatValues other = Row.ofFloats(DecoderWeights.CHUNK);

        RowMatrix chunk(int chunk) {
            if (chunks[chunk] == null) {
                chunks[chunk] = new RowMatrix(RowMatrix.Type.FP32, rows, weights.chunkSize(chunk));
            }
            return chunks[chunk];
        }

        void close() {
            for (RowMatrix chunk : chunks) {
                if (chunk != null) {
                    chunk.close();
                }
            }
        }
    }

    /** @param cap softcap of the logits; 0 for none */
    HeadScores(DecoderWeights weights, int vocabSize, double cap) {
        this.weights = weights;
        this.cap = cap;
        this.rows = Math.max(1, Math.min(RowPlan.MAX_UNIT, MAX_LOGITS / vocabSize) / RowPlan.ALIGNMENT) * RowPlan.ALIGNMENT;
    }

    /** Work on one row's logits. */
    @FunctionalInterface
    interface LogitRow {
        /**
         * Takes the logits of a chunk.
         *
         * @param row    in the unit
         * @param logits may be overwritten, as {@code other}
         */
        void accept(int row, int chunk, FloatValues logits, FloatValues other, int n);
    }

    /** Work on a row whose chunks have all been taken; they can be read again. */
    @FunctionalInterface
    interface RowEnd {
        void accept(int row, PositionScores.Chunks logits, FloatValues memory);
    }

    /**
     * Computes the logits of a unit's rows.
     *
     * @param end called after a row's last chunk; null for none
     */
    void each(RowMatrix hidden, int count, LogitRow work, RowEnd end) {
        Memory memory = idle.poll();
        if (memory == null) {
            memory = new Memory();
        }
        for (int from = 0; from < count; from += rows) {
            each(memory, hidden, from, Math.min(rows, count - from), work, end);
        }
        idle.add(memory);
    }

    private void each(Memory memory, RowMatrix hidden, int from, int count, LogitRow work, RowEnd end) {
        int last = weights.chunks() - 1;
        for (int chunk = 0; chunk <= last; chunk++) {
            RowMatrix logits = memory.chunk(end == null && chunk < last ? 0 : chunk);
            weights.logits(hidden, from, count, chunk, logits);
            for (int i = 0; i < count; i++) {
                int n = load(logits, i, chunk, memory.row, memory.other);
                work.accept(from + i, chunk, memory.row, memory.other, n);
            }
        }
        for (int i = 0; end != null && i < count; i++) {
            int row = i;
            end.accept(from + i, (chunk, to) -> load(memory.chunk(chunk), row, chunk, to, memory.other), memory.row);
        }
    }

    private int load(RowMatrix logits, int i, int chunk, FloatValues row, FloatValues other) {
        int n = weights.chunkSize(chunk);
        logits.load(row, i, 0, n);
        if (cap > 0) {
            // cap·tanh(x / cap), and tanh(u) = 2·σ(2u) − 1.
            row.scale(n, 2 / cap);
            other.sigmoid(n, row);
            row.fill(0, n, -cap);
            row.add(n, 2 * cap, other);
        }
        return n;
    }

    @Override
    public void close() {
        for (Memory memory = idle.poll(); memory != null; memory = idle.poll()) {
            memory.close();
        }
    }
}
