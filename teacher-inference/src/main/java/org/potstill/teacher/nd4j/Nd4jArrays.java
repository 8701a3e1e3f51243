// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import org.bytedeco.javacpp.FloatPointer;
import org.nd4j.linalg.api.blas.params.MMulTranspose;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.concurrency.AffinityManager;
import org.nd4j.linalg.api.memory.MemoryWorkspace;
import org.nd4j.linalg.api.memory.conf.WorkspaceConfiguration;
import org.nd4j.linalg.api.memory.enums.SpillPolicy;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.impl.reduce.Mmul;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

/** Float matrices in ND4J's memory, row-major. */
final class Nd4jArrays {
    private static final MMulTranspose PLAIN = MMulTranspose.allFalse();
    private static final MMulTranspose TRANSPOSED = MMulTranspose.builder().transposeB(true).build();

    private static final WorkspaceConfiguration REUSED =
            WorkspaceConfiguration.builder().policySpill(SpillPolicy.REALLOCATE).build();

    private Nd4jArrays() {
    }

    /** Opens a workspace for arrays allocated until it is closed; the thread's next workspace reuses its memory. */
    static MemoryWorkspace scratch() {
        return Nd4j.getWorkspaceManager().getAndActivateWorkspace(REUSED, "potstill-teacher");
    }

    static INDArray allocate(long rows, long columns) {
        return Nd4j.createUninitialized(DataType.FLOAT, new long[] {rows, columns}, 'c');
    }

    /** Repeats rows into a matrix with memory of its own, which callers close. */
    static INDArray repeat(float[] values, int rows, int columns, int times) {
        INDArray all = Nd4j.createUninitializedDetached(DataType.FLOAT, (long) times * rows, columns);
        try (INDArray once = Nd4j.create(values, new long[] {rows, columns}, 'c')) {
            for (long i = 0; i < times; i++) {
                rows(all, i * rows, (i + 1) * rows).assign(once);
            }
        }
        return all;
    }

    /**
     * Computes a · b into {@code result}. It runs the operation directly, as {@link INDArray#mmul} copies and takes four
     * times as long.
     */
    static INDArray multiply(INDArray a, INDArray b, INDArray result) {
        return Nd4j.exec(new Mmul(a, b, result, PLAIN))[0];
    }

    /** Computes a · bᵀ into {@code result}. */
    static INDArray multiplyTransposed(INDArray a, INDArray b, INDArray result) {
        return Nd4j.exec(new Mmul(a, b, result, TRANSPOSED))[0];
    }

    /** Returns a view of some rows. */
    static INDArray rows(INDArray x, long from, long to) {
        return x.get(NDArrayIndex.interval(from, to), NDArrayIndex.all());
    }

    /** Returns a view of some columns. */
    static INDArray columns(INDArray x, long from, long to) {
        return x.get(NDArrayIndex.all(), NDArrayIndex.interval(from, to));
    }

    /** Copies an array that begins at the start of its buffer. */
    static float[] toHeap(INDArray x) {
        Nd4j.getAffinityManager().ensureLocation(x, AffinityManager.Location.HOST);
        float[] values = new float[Math.toIntExact(x.length())];
        new FloatPointer(x.data().addressPointer()).get(values);
        return values;
    }
}
