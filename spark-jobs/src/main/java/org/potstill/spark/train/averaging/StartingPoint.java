// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.student.Student;

/**
 * Where a worker begins a round.
 *
 * @param slices parameters first, then moments if there are any; as floats
 */
record StartingPoint(StateLayout layout, List<byte[]> slices) {
    /** Returns where a student is. */
    static StartingPoint of(Student student, StateLayout layout) {
        List<byte[]> slices = new ArrayList<>();
        for (int i = 0; i < layout.slices(); i++) {
            ByteBuffer parameters = student.parameters(layout.slice(i).firstParameter(), layout.slice(i).parameters());
            byte[] copy = new byte[parameters.remaining()];
            parameters.duplicate().get(copy);
            slices.add(copy);
        }
        return new StartingPoint(layout, slices);
    }

    /** Returns the parameters of a slice, as floats. */
    ByteBuffer parameters(int index) {
        int bytes = Math.multiplyExact(layout.slice(index).parameters(), Float.BYTES);
        return StateLayout.littleEndian(slices.get(index)).slice(0, bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    void load(Student student) {
        for (int i = 0; i < layout.slices(); i++) {
            student.writeParameters(layout.slice(i).firstParameter(), parameters(i).asFloatBuffer());
        }
    }

    void loadMoments(Student student) {
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            FloatBuffer values = StateLayout.littleEndian(slices.get(i)).asFloatBuffer();
            student.writeUpdaterState(slice.firstMoment(), values.slice(slice.parameters(), slice.moments()));
        }
    }

    /** Moves a student that began here to where it would be if it had begun elsewhere and come as far. */
    void move(Student student, StartingPoint elsewhere) {
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            float[] from = floats(parameters(i));
            float[] moved = floats(elsewhere.parameters(i));
            float[] now = floats(student.parameters(slice.firstParameter(), slice.parameters()));
            for (int j = 0; j < moved.length; j++) {
                moved[j] += now[j] - from[j];
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
