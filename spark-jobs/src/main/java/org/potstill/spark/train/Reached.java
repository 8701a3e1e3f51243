package org.potstill.spark.train;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.potstill.student.Student;

/**
 * What a worker reached, which may be its student's memory itself: the student trains on when all that was kept of it is averaged.
 *
 * @param parameters slice by slice, packed
 * @param moments    slice by slice, packed
 */
record Reached(Student student, List<ByteBuffer> parameters, List<ByteBuffer> moments) {
    static final int PARAMETERS = 0;
    static final int MOMENTS = 1;

    /** A view of one slice, of {@link #PARAMETERS} or {@link #MOMENTS}; null if there is none. */
    ByteBuffer slice(int index, int part) {
        List<ByteBuffer> slices = part == PARAMETERS ? parameters : part == MOMENTS ? moments : List.of();
        return index < slices.size() ? slices.get(index).duplicate().order(ByteOrder.LITTLE_ENDIAN) : null;
    }
}
