package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

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
}
