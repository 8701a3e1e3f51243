// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.potstill.student.Student;

/**
 * A worker's result. It may share its student's memory, so the student is reused only after the result has been averaged.
 *
 * @param parameters slice by slice, packed
 * @param moments    slice by slice, packed
 */
public record Reached(Student student, List<ByteBuffer> parameters, List<ByteBuffer> moments) {
    static final int PARAMETERS = 0;
    static final int MOMENTS = 1;

    /** Returns a view of one slice of {@link #PARAMETERS} or {@link #MOMENTS}; null if there is none. */
    ByteBuffer slice(int index, int part) {
        List<ByteBuffer> slices = part == PARAMETERS ? parameters : part == MOMENTS ? moments : List.of();
        return index < slices.size() ? slices.get(index).duplicate().order(ByteOrder.LITTLE_ENDIAN) : null;
    }
}
