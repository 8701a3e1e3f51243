package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** The vectorised loops against their plain twin, at lengths around every block and unrolling. */
class FloatRowTest {
    private static final int[] LENGTHS = {1, 3, 4, 7, 8, 9, 511, 513, 1023, 1024, 1025, 3000};

    @Test
    void expIsWithinTwoUnitsInTheLastPlace() {
        float[] x = new float[200_000];
        for (int i = 0; i < x.length; i++) {
            x[i] = -87.3f + 175f * i / x.length;
        }
        float[] y = x.clone();
        VectorExp.exp(y, y.length);
        for (int i = 0; i < x.length; i++) {
            double expected = Math.exp(x[i]);
            assertTrue(Math.abs(y[i] - expected) <= 2 * Math.ulp((float) expected), "exp " + x[i] + " is " + y[i]);
        }
    }

    @Test
    void expAtItsEnds() {
        float[] x = {0, -90, -1000, -1e6f, 95, Float.NaN, -87.9f};
        VectorExp.exp(x, x.length);
        assertEquals(1f, x[0]);
        assertEquals(0f, x[1]);
        assertEquals(0f, x[2]);
        assertEquals(0f, x[3]);
        assertEquals(Float.POSITIVE_INFINITY, x[4]);
        assertTrue(Float.isNaN(x[5]));
        assertTrue(x[6] >= 0 && x[6] < 1e-38f);
    }

    @Test
    void everyLoopDoesWhatItsPlainTwinDoes() {
        same((row, other, n) -> row.exp(n, 1.5));
        same((row, other, n) -> row.scale(n, 0.7));
        same((row, other, n) -> row.add(n, -0.3, other));
        same((row, other, n) -> row.multiply(n, other));
        same((row, other, n) -> row.sigmoid(n, other));
        same((row, other, n) -> row.siluDerivative(n, other, other));
        same((row, other, n) -> row.fill(n, 2));
        same((row, other, n) -> row.rotate(n / 6, 6, other, -1));
        sameNumber(n -> (row, other) -> row.sum(n));
        sameNumber(n -> (row, other) -> row.max(n));
        sameNumber(n -> (row, other) -> row.dot(n, other));
    }

    private interface Loop {
        void run(Row row, Row other, int n);
    }

    private interface Number {
        double of(Row row, Row other);
    }

    private static void same(Loop loop) {
        for (int n : LENGTHS) {
            Row[] rows = rows(n);
            loop.run(rows[0], rows[1], n);
            loop.run(rows[2], rows[3], n);
            for (int i = 0; i < n; i++) {
                assertEquals(rows[2].get(i), rows[0].get(i), 1e-6 * (1 + Math.abs(rows[2].get(i))));
            }
        }
    }

    private static void sameNumber(Function<Integer, Number> number) {
        for (int n : LENGTHS) {
            Row[] rows = rows(n);
            assertEquals(number.apply(n).of(rows[2], rows[3]), number.apply(n).of(rows[0], rows[1]), 2e-5);
        }
    }

    private static Row[] rows(int n) {
        Random random = new Random(n);
        Row[] rows = {new FloatRow(n + 6), new FloatRow(n + 6), new DoubleRow(n + 6), new DoubleRow(n + 6)};
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
