// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.student.Student;

/**
 * Parameters from which a worker begins a round: the average or, if rounds overlap, the average of the round before the last, which does
 * not contain the last round's differences, plus the worker's own difference.
 *
 * @param average    slice by slice, parameters first
 * @param difference slice by slice, packed; empty if the average contains it
 */
record StartingPoint(StateLayout layout, Payload payload, List<byte[]> average, List<ByteBuffer> difference) {
    /** Returns the parameters of a slice, as floats. */
    ByteBuffer parameters(int index) {
        int count = layout.slice(index).parameters();
        ByteBuffer parameters = StateLayout.littleEndian(average.get(index)).slice(0, Math.multiplyExact(count, Float.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
        return difference.isEmpty() ? parameters : payload.sum(parameters, difference.get(index).duplicate().order(ByteOrder.LITTLE_ENDIAN));
    }

    void load(Student student) {
        for (int i = 0; i < layout.slices(); i++) {
            student.writeParameters(layout.slice(i).firstParameter(), parameters(i).asFloatBuffer());
        }
    }

    /** Loads the moments that a whole state has. */
    void loadMoments(Student student) {
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            FloatBuffer values = StateLayout.littleEndian(average.get(i)).asFloatBuffer();
            student.writeUpdaterState(slice.firstMoment(), values.slice(slice.parameters(), slice.moments()));
        }
    }

    /**
     * Moves a student to where it would be if it had begun elsewhere and come as far.
     *
     * @param begin the other starting point
     */
    void move(Student student, StartingPoint begin) {
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            float[] from = floats(parameters(i));
            float[] moved = floats(begin.parameters(i));
            float[] end = floats(student.parameters(slice.firstParameter(), slice.parameters()));
            for (int j = 0; j < moved.length; j++) {
                moved[j] += end[j] - from[j];
            }
            student.writeParameters(slice.firstParameter(), FloatBuffer.wrap(moved));
        }
    }

    private static float[] floats(ByteBuffer bytes) {
        FloatBuffer values = bytes.asFloatBuffer();
        float[] floats = new float[values.remaining()];
        values.get(floats);
        return floats;
    }
}
