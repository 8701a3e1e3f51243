// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.FloatBuffer;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

class HostMemoryTest {
    /** The second is what the CUDA backend does, here on the CPU's. */
    @Test
    void whatIsWrittenIntoMemoryIsWhatNd4jAssigns() {
        float[] values = {1, 2, 3, 4, 5, 6};
        INDArray flat = Nd4j.zeros(DataType.FLOAT, 2, 10);
        INDArray view = flat.get(NDArrayIndex.point(1), NDArrayIndex.interval(2, 8));
        HostMemory.write(view, values);
        assertArrayEquals(new float[] {0, 0, 1, 2, 3, 4, 5, 6, 0, 0}, flat.getRow(1).toFloatVector());
        INDArray assigned = Nd4j.zeros(DataType.FLOAT, 2, 3);
        HostMemory.assign(assigned, values);
        assertEquals(5, assigned.getFloat(1, 1));
        float[] read = new float[6];
        HostMemory.read(view).get(read);
        assertArrayEquals(values, read);
        assertArrayEquals(view.toDoubleVector(), HostMemory.doubles(view));
        assertArrayEquals(new double[] {1, 4, 2, 5, 3, 6}, HostMemory.doubles(assigned.transpose()));
    }

    @Test
    void aRangeOfAnArrayIsReadAndWrittenWhereNd4jSeesIt() {
        INDArray row = Nd4j.zeros(DataType.FLOAT, 1, 10);
        HostMemory.write(row, 3, FloatBuffer.wrap(new float[] {9, 1, 2, 3, 9}, 1, 3));
        assertArrayEquals(new float[] {0, 0, 0, 1, 2, 3, 0, 0, 0, 0}, row.toFloatVector());
        HostMemory.assign(HostMemory.range(row, 5, 2), new float[] {7, 8});
        float[] read = new float[4];
        HostMemory.bytes(row, 4, 4).asFloatBuffer().get(read);
        assertArrayEquals(new float[] {2, 7, 8, 0}, read);
        assertArrayEquals(read, HostMemory.range(row, 4, 4).toFloatVector());
    }
}
