package org.potstill.teacher;

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

    /** Where arrays lie that are made before it is closed, in memory that the next to open it in this thread uses again. */
    static MemoryWorkspace scratch() {
        return Nd4j.getWorkspaceManager().getAndActivateWorkspace(REUSED, "potstill-teacher");
    }

    static INDArray allocate(long rows, long columns) {
        return Nd4j.createUninitialized(DataType.FLOAT, new long[] {rows, columns}, 'c');
    }

    /** A matrix that holds the same rows several times over, in memory of its own that must be closed. */
    static INDArray repeat(float[] values, int rows, int columns, int times) {
        INDArray all = Nd4j.createUninitializedDetached(DataType.FLOAT, (long) times * rows, columns);
        try (INDArray once = Nd4j.create(values, new long[] {rows, columns}, 'c')) {
            for (long i = 0; i < times; i++) {
                rows(all, i * rows, (i + 1) * rows).assign(once);
            }
        }
        return all;
    }

    /** a · b into {@code result}. The operation itself: {@link INDArray#mmul} copies and takes four times as long. */
    static INDArray multiply(INDArray a, INDArray b, INDArray result) {
        return Nd4j.exec(new Mmul(a, b, result, PLAIN))[0];
    }

    /** a · bᵀ into {@code result}. */
    static INDArray multiplyTransposed(INDArray a, INDArray b, INDArray result) {
        return Nd4j.exec(new Mmul(a, b, result, TRANSPOSED))[0];
    }

    /** A view of some rows. */
    static INDArray rows(INDArray x, long from, long to) {
        return x.get(NDArrayIndex.interval(from, to), NDArrayIndex.all());
    }

    /** A view of some columns. */
    static INDArray columns(INDArray x, long from, long to) {
        return x.get(NDArrayIndex.all(), NDArrayIndex.interval(from, to));
    }

    /** A copy of an array whose first element is the first of its memory. */
    static float[] toHeap(INDArray x) {
        Nd4j.getAffinityManager().ensureLocation(x, AffinityManager.Location.HOST);
        float[] values = new float[Math.toIntExact(x.length())];
        new FloatPointer(x.data().addressPointer()).get(values);
        return values;
    }
}
