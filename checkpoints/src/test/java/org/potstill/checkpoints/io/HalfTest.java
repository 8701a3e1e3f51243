// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class HalfTest {
    private static final int INFINITY = 0x7c00;

    @Test
    void everyHalfIsTheNumberThatTheStandardSaysAndComesBack() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            float value = Half.toFloat((short) bits);
            if ((bits & 0x7fff) > INFINITY) {
                assertTrue(Float.isNaN(value) && Half.of(value) == (short) (bits & 0x8000 | 0x7e00), Integer.toHexString(bits));
            } else {
                assertEquals(naive(bits), value, Integer.toHexString(bits));
                assertEquals((short) bits, Half.of(value), Integer.toHexString(bits));
            }
        }
    }

    /** Between any two neighbours, the middle goes to the even one, and the floats beside it to the nearer one. */
    @Test
    void whatLiesBetweenTwoHalvesIsRoundedToTheNearerAndTheMiddleToTheEven() {
        for (int low = 0; low < INFINITY; low++) {
            // The next after the largest is infinite; it would be 2^16.
            double next = low == INFINITY - 1 ? 0x1p16 : naive(low + 1);
            float middle = (float) ((naive(low) + next) / 2);
            assertHalf(low % 2 == 0 ? low : low + 1, middle);
            assertHalf(low, Math.nextDown(middle));
            assertHalf(low + 1, Math.nextUp(middle));
        }
    }

    private static void assertHalf(int expected, float value) {
        assertEquals((short) expected, Half.of(value), () -> String.valueOf(value));
        assertEquals((short) (expected | 0x8000), Half.of(-value), () -> String.valueOf(-value));
    }

    private static float naive(int bits) {
        int exponent = bits >> 10 & 31;
        int mantissa = bits & 1023;
        double magnitude = exponent == 31 ? Double.POSITIVE_INFINITY
                : exponent == 0 ? mantissa * Math.pow(2, -24) : (1024 + mantissa) * Math.pow(2, exponent - 25);
        return (float) (bits < 1 << 15 ? magnitude : -magnitude);
    }
}
