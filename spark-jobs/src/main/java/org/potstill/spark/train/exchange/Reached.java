// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.potstill.student.Student;

/**
 * A worker's result, to be averaged.
 *
 * @param student    whose memory the result shares, so that it is reused only after averaging; null if there is none
 * @param parameters slice by slice, packed
 * @param moments    slice by slice, packed; empty if the worker keeps them
 */
public record Reached(Student student, List<ByteBuffer> parameters, List<ByteBuffer> moments) {
    static final int PARAMETERS = 0;
    static final int MOMENTS = 1;

    /** Returns one slice of {@link #PARAMETERS} or {@link #MOMENTS}, if possible a view; null if there is none. */
    ByteBuffer slice(int index, int part) {
        List<ByteBuffer> slices = part == PARAMETERS ? parameters : part == MOMENTS ? moments : List.of();
        return index < slices.size() ? slices.get(index).duplicate().order(ByteOrder.LITTLE_ENDIAN) : null;
    }
}
