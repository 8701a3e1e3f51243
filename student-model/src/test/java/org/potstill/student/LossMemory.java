// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.io.IOException;
import java.util.Arrays;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Products;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.decoder.LanguageModelHead;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;

/**
 * How far the process's peak memory rises above what it held before the loss and its gradient, for
 * {@code bench/loss_memory.py}. Not a test: run its main with the arguments {@code threads vocabSize rows hiddenSize k}. Says
 * the loss and the rise in KiB. Hidden states, table, their gradients and targets are there before; the script makes
 * the same ones.
 */
final class LossMemory {
    private static final int STEPS = 3;
    /** Steps of a tiny problem, after which libraries are loaded, threads started and loops compiled. */
    private static final int WARM_UP = 500;

    private final LanguageModelHead head;
    private final Matrix hidden;
    private final Matrix table;
    private final Matrix dHidden;
    private final Matrix dTable;
    private final PackedBatch.Targets targets;

    private LossMemory(int vocabSize, int rows, int hiddenSize, int k) {
        this.head = new LanguageModelHead(vocabSize, DataType.FLOAT, Objective.of(0.5));
        this.hidden = filled(rows, hiddenSize, 2);
        this.table = filled(vocabSize, hiddenSize, 0.5f);
        this.dHidden = filled(rows, hiddenSize, 0);
        this.dTable = filled(vocabSize, hiddenSize, 0);
        this.targets = targets(vocabSize, rows, k);
    }

    public static void main(String[] args) throws IOException {
        int[] numbers = Arrays.stream(args).mapToInt(Integer::parseInt).toArray();
        Student.setThreads(numbers[0]);
        LossMemory tiny = new LossMemory(512, 128, numbers[3], numbers[4]);
        for (int i = 0; i < WARM_UP; i++) {
            tiny.step();
        }
        LossMemory wanted = new LossMemory(numbers[1], numbers[2], numbers[3], numbers[4]);
        System.gc();
        ResidentMemory.forgetPeak();
        long before = ResidentMemory.now();
        StepLoss loss = wanted.step();
        for (int i = 1; i < STEPS; i++) {
            wanted.step();
        }
        System.out.println(loss.total() + " " + (ResidentMemory.peak() - before));
    }

    private StepLoss step() {
        return head.lossAndGradient(Products.exact(), targets, 0.5, hidden, table, dHidden, dTable);
    }

    /** Numbers within half of {@code width} of zero, from a hash of their place. */
    private static Matrix filled(int rows, int columns, float width) {
        Matrix matrix = Matrix.allocate(DataType.FLOAT, rows, columns);
        for (int i = 0; i < rows * columns; i++) {
            matrix.floats().put(i, width * ((hash(i) >>> 16) / 65536f - 0.5f));
        }
        return matrix;
    }

    /** k equally probable ids, evenly spaced from one that a hash draws, as is the next token. */
    private static PackedBatch.Targets targets(int vocabSize, int rows, int k) {
        boolean[] counted = new boolean[rows];
        Arrays.fill(counted, true);
        int[] nextIds = new int[rows];
        int[] offsets = new int[rows + 1];
        int[] ids = new int[rows * k];
        float[] probabilities = new float[rows * k];
        Arrays.fill(probabilities, 1f / k);
        for (int row = 0; row < rows; row++) {
            nextIds[row] = Integer.remainderUnsigned(hash(row), vocabSize);
            offsets[row + 1] = (row + 1) * k;
            for (int i = 0; i < k; i++) {
                ids[row * k + i] = (nextIds[row] + 1 + i * (vocabSize / k)) % vocabSize;
            }
        }
        return new PackedBatch.Targets(counted, nextIds, offsets, ids, probabilities);
    }

    private static int hash(int i) {
        int mixed = i * 0x9E3779B1;
        return (mixed ^ mixed >>> 15) * 0x85EBCA77;
    }
}
