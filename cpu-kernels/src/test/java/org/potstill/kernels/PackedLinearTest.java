// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.potstill.kernels.PackedLinear.Ending;

class PackedLinearTest {
    private static final int IN = 70;
    private static final int OUT = 50;
    private static final int ROWS = 48;

    /** Against plain loops. */
    @Test
    void everyEndingFollowsTheProduct() {
        for (boolean biased : new boolean[] {false, true}) {
            for (Ending ending : Ending.values()) {
                Random random = new Random(1);
                float[] x = random(random, ROWS * IN);
                float[] w = random(random, OUT * IN);
                float[] bias = random(random, OUT);
                float[] before = random(random, ROWS * OUT);
                float[] other = random(random, ROWS * OUT);
                float[] y = run(RowMatrix.Type.FP32, RowMatrix.Type.FP32, ending, biased ? bias : null, x, w, before, other, 0, ROWS);
                for (int i = 0; i < ROWS; i++) {
                    for (int j = 0; j < OUT; j++) {
                        double sum = biased ? bias[j] : 0;
                        for (int k = 0; k < IN; k++) {
                            sum += (double) x[i * IN + k] * w[j * IN + k];
                        }
                        assertEquals(finished(ending, sum, before[i * OUT + j], other[i * OUT + j]), y[i * OUT + j], 1e-4, ending + " " + i + " " + j);
                    }
                }
            }
        }
    }

    private static double finished(Ending ending, double sum, double before, double other) {
        return switch (ending) {
            case STORE -> sum;
            case ADD -> before + sum;
            case SILU -> sum / (1 + Math.exp(-sum));
            case GELU -> 0.5 * sum * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (sum + 0.044715 * sum * sum * sum)));
            case MULTIPLY -> sum * other;
        };
    }

    @Test
    void aRowIsTheSameToTheBitWhateverTheNumberOfRows() {
        Random random = new Random(2);
        float[] x = random(random, ROWS * IN);
        float[] w = random(random, OUT * IN);
        for (RowMatrix.Type type : OneDnn.canUseBf16() ? RowMatrix.Type.values() : new RowMatrix.Type[] {RowMatrix.Type.FP32}) {
            float[] all = run(type, RowMatrix.Type.FP32, Ending.STORE, null, x, w, new float[ROWS * OUT], null, 0, ROWS);
            for (int from = 0; from < ROWS; from += 16) {
                float[] some = run(type, RowMatrix.Type.FP32, Ending.STORE, null, x, w, new float[ROWS * OUT], null, from, 16);
                assertArrayEquals(Arrays.copyOfRange(all, from * OUT, (from + 16) * OUT), Arrays.copyOf(some, 16 * OUT));
            }
        }
    }

    /** Rows {@code [from, from + rows)} of x, to rows from 0 on. */
    private static float[] run(RowMatrix.Type from, RowMatrix.Type to, Ending ending, float[] bias, float[] x, float[] w, float[] before, float[] other, int first, int rows) {
        FloatBuffer weight = ByteBuffer.allocateDirect(Float.BYTES * w.length).order(ByteOrder.nativeOrder()).asFloatBuffer();
        weight.put(0, w);
        try (PackedLinear linear = new PackedLinear(IN, OUT, bias != null, from, to, ending, ROWS);
                PackedLinear.Weight packed = linear.pack(weight, bias);
                RowMatrix source = matrix(from, ROWS, IN, x);
                RowMatrix target = matrix(to, ROWS, OUT, before);
                RowMatrix operand = other == null ? null : matrix(to, ROWS, OUT, other)) {
            linear.apply(source, first, packed, target, 0, rows, operand);
            float[] y = new float[ROWS * OUT];
            target.floats().get(0, y);
            return y;
        }
    }

    private static RowMatrix matrix(RowMatrix.Type type, int rows, int columns, float[] values) {
        RowMatrix matrix = new RowMatrix(type, rows, columns);
        FloatValues row = Row.ofFloats(columns);
        for (int i = 0; i < rows; i++) {
            System.arraycopy(values, i * columns, row.values, 0, columns);
            matrix.store(row, i, 0, columns);
        }
        return matrix;
    }

    private static float[] random(Random random, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
