// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.nio.ByteBuffer;
import java.util.List;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.ErrorFeedback;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.student.Student;

/**
 * What a worker takes from one round to its next beside the average, with {@link Averaging#PARAMETERS}.
 *
 * @param student as the worker left it: with its moments and its last parameters
 * @param owed    slice by slice, what rounding left of its differences
 */
public record OwnState(Student student, List<ErrorFeedback> owed) {
    static final int MOMENTS = 2;
    static final int OWED = 3;
    static final int LAST_PARAMETERS = 4;

    static boolean has(int part) {
        return part >= MOMENTS && part <= LAST_PARAMETERS;
    }

    /** Returns one slice of a part, as floats, if possible a view; null if there is none. */
    ByteBuffer slice(int index, int part, StateLayout layout) {
        if (index >= layout.slices()) {
            return null;
        }
        StateLayout.Slice slice = layout.slice(index);
        return switch (part) {
            case MOMENTS -> student.updaterState(slice.firstMoment(), slice.moments());
            case LAST_PARAMETERS -> student.parameters(slice.firstParameter(), slice.parameters());
            default -> floats(owed.get(index).owed());
        };
    }

    private static ByteBuffer floats(float[] values) {
        ByteBuffer bytes = StateLayout.littleEndian(new byte[Math.multiplyExact(values.length, Float.BYTES)]);
        bytes.asFloatBuffer().put(values);
        return bytes;
    }
}
