// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.nd4j.Nd4jRuntime;

class Bf16Test {
    @BeforeEach
    void requireInstructions() {
        Nd4jRuntime.setThreads(1);
        assumeTrue(OneDnn.canUseBf16(), "this processor does not multiply bfloat16 numbers");
    }

    /** Against products of the rounded numbers, in single precision; blocks of larger matrices, wider than a piece, too. */
    @Test
    void productsAreThoseOfRoundedOperands() {
        Random random = new Random(1);
        Matrix parameters = random(random, 1, 7 * 9000 + 11 * 13);
        Bf16Products products = new Bf16Products(parameters);
        products.weightsChanged();
        for (int[] shape : new int[][] {{5, 7, 9000, 0}, {3, 11, 13, 7 * 9000}}) {
            Matrix w = weight(parameters, shape[3], shape[1], shape[2]);
            Matrix x = random(random, shape[0] + 1, shape[2] + 3).block(1, shape[0] + 1, 2, shape[2] + 2);
            Matrix dy = random(random, shape[0], shape[1]);
            Matrix y = random(new Random(2), shape[0], shape[1]);
            Matrix expected = random(new Random(2), shape[0], shape[1]);
            products.timesTransposed(x, w, y, 1);
            Products.exact().timesTransposed(rounded(x), rounded(w), expected, 1);
            assertSame(expected, y);
            Matrix dx = Matrix.allocate(DataType.FLOAT, shape[0], shape[2]);
            expected = Matrix.allocate(DataType.FLOAT, shape[0], shape[2]);
            products.times(dy, w, dx, 0);
            Products.exact().times(rounded(dy), rounded(w), expected, 0);
            assertSame(expected, dx);
            Matrix dw = Matrix.allocate(DataType.FLOAT, shape[1], shape[2]);
            expected = Matrix.allocate(DataType.FLOAT, shape[1], shape[2]);
            products.transposedTimes(dy, x, dw, 0);
            Products.exact().transposedTimes(rounded(dy), rounded(x), expected, 0);
            assertSame(expected, dw);
        }
        products.free();
    }

    private static Matrix random(Random random, int rows, int columns) {
        Matrix matrix = Matrix.allocate(DataType.FLOAT, rows, columns);
        for (int i = 0; i < rows * columns; i++) {
            matrix.floats().put(i, (float) random.nextGaussian());
        }
        return matrix;
    }

    private static Matrix weight(Matrix parameters, int offset, int rows, int columns) {
        return parameters.reshape(offset, rows, columns);
    }

    /** The value with 8 bits of mantissa that is nearest, by way of the two that enclose it. */
    private static Matrix rounded(Matrix x) {
        Matrix to = Matrix.allocate(DataType.FLOAT, x.rows(), x.columns());
        for (int i = 0; i < x.rows(); i++) {
            for (int j = 0; j < x.columns(); j++) {
                float value = x.floats().get(x.index(i, j));
                int bits = Float.floatToRawIntBits(value) & 0xffff0000;
                float below = Float.intBitsToFloat(bits);
                float above = Float.intBitsToFloat(bits + 0x10000);
                float nearest = Math.abs(value - below) < Math.abs(above - value)
                        || Math.abs(value - below) == Math.abs(above - value) && (bits & 0x10000) == 0 ? below : above;
                to.floats().put(to.index(i, j), nearest);
            }
        }
        return to;
    }

    private static void assertSame(Matrix expected, Matrix computed) {
        for (int i = 0; i < expected.rows(); i++) {
            for (int j = 0; j < expected.columns(); j++) {
                assertEquals(expected.floats().get(expected.index(i, j)), computed.floats().get(computed.index(i, j)), 2e-3);
            }
        }
    }
}
