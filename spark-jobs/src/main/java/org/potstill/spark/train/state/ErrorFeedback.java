// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import org.potstill.student.Student;

/**
 * Packing of differences round after round, of which none is lost: what rounding leaves of one round's difference is added to the next
 * one's (Seide et al., 1-Bit Stochastic Gradient Descent, Interspeech 2014; Karimireddy et al., arXiv 1901.09847).
 */
public final class ErrorFeedback {
    private final Payload payload;
    private final float[] owed;

    public ErrorFeedback(Payload payload, int length) {
        this.payload = payload;
        this.owed = new float[length];
    }

    /** Returns what is still to be sent. */
    public float[] owed() {
        return owed;
    }

    /**
     * Packs some values, with what is owed, and keeps what rounding leaves of them.
     *
     * @param at     index of the first, a multiple of {@value Payload#CHUNK}
     * @param values {@value Payload#CHUNK}, or as many as are left; receives what the packed values will be unpacked as
     */
    void pack(int at, float[] values, ByteBuffer packed) {
        for (int i = 0; i < values.length; i++) {
            owed[at + i] += values[i];
            values[i] = owed[at + i];
        }
        int begin = packed.position();
        payload.pack(values, packed);
        payload.unpack(packed.duplicate().order(packed.order()).position(begin), values);
        for (int i = 0; i < values.length; i++) {
            owed[at + i] -= values[i];
        }
    }

    /**
     * Adds what is owed to a student's parameters.
     *
     * @param first index of the first of them
     */
    public void addTo(Student student, int first) {
        for (int at = 0; at < owed.length; at += Payload.CHUNK) {
            float[] sum = new float[Math.min(Payload.CHUNK, owed.length - at)];
            student.parameters(first + at, sum.length).asFloatBuffer().get(sum);
            for (int i = 0; i < sum.length; i++) {
                sum[i] += owed[at + i];
            }
            student.writeParameters(first + at, FloatBuffer.wrap(sum));
        }
    }

    /**
     * Packs how far a worker has come in a round.
     *
     * @param begin the round's initial parameters, as floats
     * @param end   its final ones
     */
    public ByteBuffer pack(ByteBuffer begin, ByteBuffer end) {
        int length = owed.length;
        ByteBuffer packed = StateLayout.littleEndian(new byte[payload.bytes(length)]);
        for (int at = 0; at < length; at += Payload.CHUNK) {
            float[] difference = new float[Math.min(Payload.CHUNK, length - at)];
            float[] before = new float[difference.length];
            begin.asFloatBuffer().get(at, before);
            end.asFloatBuffer().get(at, difference);
            for (int i = 0; i < difference.length; i++) {
                difference[i] -= before[i];
            }
            pack(at, difference, packed);
        }
        return packed.flip();
    }
}
