// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

/** The loops in vectors, and those that are vectorised, against their plain twin, at lengths around every block and unrolling. */
class RowTest {
    private static final int[] LENGTHS = {1, 3, 4, 7, 8, 9, 511, 513, 1023, 1024, 1025, 3000};

    private static final List<IntFunction<Row>> KINDS = List.of(FloatRow::new, VectorRow::new);

    @Test
    void testsRunWithSimdUnlessItIsTurnedOff() {
        assertEquals(!System.getProperty(Simd.SWITCH, "").equals("off"), Row.VECTORS, Simd.HERE.toString());
    }

    @Test
    void expIsWithinTwoUnitsInTheLastPlace() {
        for (IntFunction<Row> kind : KINDS) {
            int n = 200_000;
            Row x = kind.apply(n);
            for (int i = 0; i < n; i++) {
                x.set(i, at(i));
            }
            x.exp(n, 0);
            for (int i = 0; i < n; i++) {
                double expected = Math.exp(at(i));
                assertTrue(Math.abs(x.get(i) - expected) <= 2 * Math.ulp((float) expected), "exp " + at(i) + " is " + x.get(i));
            }
        }
    }

    private static float at(int i) {
        return -87.3f + 175f * i / 200_000;
    }

    @Test
    void expAtItsEnds() {
        float[] ends = {0, -90, -1000, -1e6f, 95, Float.NaN, -87.9f};
        for (IntFunction<Row> kind : KINDS) {
            Row x = kind.apply(ends.length);
            for (int i = 0; i < ends.length; i++) {
                x.set(i, ends[i]);
            }
            x.exp(ends.length, 0);
            assertEquals(1, x.get(0));
            assertEquals(0, x.get(1));
            assertEquals(0, x.get(2));
            assertEquals(0, x.get(3));
            assertEquals(Double.POSITIVE_INFINITY, x.get(4));
            assertTrue(Double.isNaN(x.get(5)));
            assertTrue(x.get(6) >= 0 && x.get(6) < 1e-38);
        }
    }

    @Test
    void vectorsRoundToBf16AsOneNumberIsRounded() {
        Random random = new Random(3);
        for (int n : LENGTHS) {
            int[] bits = random.ints(n).toArray();
            // Ties, which go to the even one.
            bits[0] = 0x3f808000;
            bits[n - 1] = 0x3f818000;
            short[] rounded = new short[n];
            Bf16Products.round(bits, rounded, n);
            for (int i = 0; i < n; i++) {
                assertEquals(Bf16Products.rounded(bits[i]), rounded[i]);
            }
        }
    }

    @Test
    void floatsAreRoundedAndSearchedAsOneByOne() {
        Random random = new Random(4);
        for (IntFunction<Row> kind : KINDS) {
            for (int n : LENGTHS) {
                FloatValues x = (FloatValues) kind.apply(n);
                for (int i = 0; i < n; i++) {
                    x.set(i, random.nextInt(50));
                }
                short[] rounded = new short[n];
                x.roundToBf16(rounded, n);
                for (int i = 0; i < n; i++) {
                    assertEquals(Bf16Products.rounded(Float.floatToRawIntBits(x.values[i])), rounded[i]);
                }
                for (int from = 0; from <= n; from += 1 + from / 3) {
                    int expected = from;
                    while (expected < n && x.values[expected] <= 47) {
                        expected++;
                    }
                    assertEquals(expected, x.firstAbove(47, from, n));
                }
            }
        }
    }

    @Test
    void everyLoopDoesWhatItsPlainTwinDoes() {
        same((row, other, n) -> row.exp(n, 1.5));
        same((row, other, n) -> row.scale(n, 0.7));
        same((row, other, n) -> row.add(n, -0.3, other));
        same((row, other, n) -> row.add(n, -0.3, other, other));
        same((row, other, n) -> row.multiply(n, other));
        same((row, other, n) -> row.sigmoid(n, other));
        same((row, other, n) -> row.siluDerivative(n, other, other));
        same((row, other, n) -> row.fill(n / 3, n, 2));
        same((row, other, n) -> row.rotate(n / 6, 6, other, -1));
        same((row, other, n) -> row.rotate(n / 70, 70, other, 1));
        sameNumber(n -> (row, other) -> row.sum(n));
        sameNumber(n -> (row, other) -> row.max(n));
        sameNumber(n -> (row, other) -> row.dot(n, other));
    }

    private interface Loop {
        void run(Row row, Row other, int n);
    }

    private interface Reduction {
        double of(Row row, Row other);
    }

    private static void same(Loop loop) {
        for (IntFunction<Row> kind : KINDS) {
            for (int n : LENGTHS) {
                Row[] rows = rows(n, kind);
                loop.run(rows[0], rows[1], n);
                loop.run(rows[2], rows[3], n);
                for (int i = 0; i < n; i++) {
                    assertEquals(rows[2].get(i), rows[0].get(i), 1e-6 * (1 + Math.abs(rows[2].get(i))));
                }
            }
        }
    }

    private static void sameNumber(Function<Integer, Reduction> number) {
        for (IntFunction<Row> kind : KINDS) {
            for (int n : LENGTHS) {
                Row[] rows = rows(n, kind);
                assertEquals(number.apply(n).of(rows[2], rows[3]), number.apply(n).of(rows[0], rows[1]), 2e-5);
            }
        }
    }

    private static Row[] rows(int n, IntFunction<Row> kind) {
        Random random = new Random(n);
        Row[] rows = {kind.apply(n + 6), kind.apply(n + 6), new DoubleRow(n + 6), new DoubleRow(n + 6)};
        for (int i = 0; i < n + 6; i++) {
            float x = (float) random.nextGaussian();
            float y = (float) random.nextGaussian();
            rows[0].set(i, x);
            rows[1].set(i, y);
            rows[2].set(i, x);
            rows[3].set(i, y);
        }
        return rows;
    }
}
