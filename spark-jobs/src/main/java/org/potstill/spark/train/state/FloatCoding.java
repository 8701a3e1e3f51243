// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.nio.ByteBuffer;

/** An encoding of floats in a known number of bytes. */
interface FloatCoding {
    /** Returns the number of bytes that {@code floats} values take. */
    int bytes(int floats);

    /**
     * Packs values.
     *
     * @param packed little-endian buffer whose position advances
     */
    void pack(float[] values, ByteBuffer packed);

    /**
     * Unpacks values.
     *
     * @param packed buffer whose position advances
     * @param values receives as many as were packed
     */
    void unpack(ByteBuffer packed, float[] values);

    /** Returns the largest magnitude of some values; infinity or NaN if one is not finite. */
    static float magnitude(float[] values, int from, int length) {
        // Magnitudes sort like their bit patterns, non-finite values last.
        int largest = 0;
        for (int i = from; i < from + length; i++) {
            largest = Math.max(largest, Float.floatToRawIntBits(values[i]) & Integer.MAX_VALUE);
        }
        return Float.intBitsToFloat(largest);
    }
}
