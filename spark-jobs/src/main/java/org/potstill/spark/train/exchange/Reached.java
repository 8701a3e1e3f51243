// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.potstill.spark.train.state.ErrorFeedback;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.student.Student;

/**
 * A worker's result. It may share its student's memory, so the student is reused only after the result has been averaged.
 *
 * @param parameters slice by slice, packed
 * @param moments    slice by slice, packed
 * @param owed       slice by slice, what the worker has still to send; empty if it has sent all. Together with the moments it is then the
 *                   worker's own, which its next round begins with
 */
public record Reached(Student student, List<ByteBuffer> parameters, List<ByteBuffer> moments, List<ErrorFeedback> owed) {
    static final int PARAMETERS = 0;
    static final int MOMENTS = 1;
    static final int OWED = 2;

    /** Whether the worker's next round needs it. */
    boolean isOwn() {
        return !owed.isEmpty();
    }

    /** Returns one slice of {@link #PARAMETERS}, {@link #MOMENTS} or {@link #OWED}, if possible a view; null if there is none. */
    ByteBuffer slice(int index, int part) {
        if (part == OWED) {
            return index < owed.size() ? floats(owed.get(index).owed()) : null;
        }
        List<ByteBuffer> slices = part == PARAMETERS ? parameters : part == MOMENTS ? moments : List.of();
        return index < slices.size() ? slices.get(index).duplicate().order(ByteOrder.LITTLE_ENDIAN) : null;
    }

    private static ByteBuffer floats(float[] values) {
        ByteBuffer bytes = StateLayout.littleEndian(new byte[Math.multiplyExact(values.length, Float.BYTES)]);
        bytes.asFloatBuffer().put(values);
        return bytes;
    }
}
