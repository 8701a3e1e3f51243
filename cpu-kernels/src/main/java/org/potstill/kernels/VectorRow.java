// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * A row whose loops use the Vector API at the processor's preferred width. Used only where {@link Simd} chooses it;
 * {@link FloatRow} takes its place elsewhere, slower and with different rounding.
 *
 * <p>Results do not depend on whether a loop is already compiled: lanes are summed in order.
 */
final class VectorRow extends FloatValues {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(SPECIES.vectorBitSize() / 2));
    private static final int LANES = SPECIES.length();
    /** Elements per lane summed in single precision before the sum goes on in double. */
    private static final int BLOCK = 128;

    /** Rounds the length up to a whole number of vectors, as loops may overwrite elements after the first {@code n}. */
    VectorRow(int length) {
        super(SPECIES.loopBound(length + LANES - 1));
    }

    private FloatVector at(int i) {
        return FloatVector.fromArray(SPECIES, values, i);
    }

    private static VectorRow of(Row row) {
        return (VectorRow) row;
    }

    @Override
    void roundToBf16(short[] to, int n) {
        int whole = SPECIES.loopBound(n);
        for (int i = 0; i < whole; i += LANES) {
            roundToBf16(at(i).reinterpretAsInts()).intoArray(to, i);
        }
        for (int i = whole; i < n; i++) {
            to[i] = Bf16Products.rounded(Float.floatToRawIntBits(values[i]));
        }
    }

    @Override
    public int firstAbove(float threshold, int from, int n) {
        int i = from;
        for (; i + LANES <= n; i += LANES) {
            VectorMask<Float> above = at(i).compare(VectorOperators.GT, threshold);
            if (above.anyTrue()) {
                return i + above.firstTrue();
            }
        }
        while (i < n && !(values[i] > threshold)) {
            i++;
        }
        return i;
    }

    @Override
    public double max(int n) {
        int whole = SPECIES.loopBound(n);
        float max = Float.NEGATIVE_INFINITY;
        if (whole > 0) {
            FloatVector a = at(0);
            FloatVector b = a;
            int i = LANES;
            for (; i + LANES < whole; i += 2 * LANES) {
                a = a.max(at(i));
                b = b.max(at(i + LANES));
            }
            if (i < whole) {
                a = a.max(at(i));
            }
            max = a.max(b).reduceLanes(VectorOperators.MAX);
        }
        for (int i = whole; i < n; i++) {
            max = Math.max(max, values[i]);
        }
        return max;
    }

    @Override
    public double sum(int n) {
        int whole = SPECIES.loopBound(n);
        double sum = 0;
        for (int from = 0; from < whole; from += BLOCK * LANES) {
            int to = Math.min(whole, from + BLOCK * LANES);
            FloatVector a = FloatVector.zero(SPECIES);
            FloatVector b = a;
            int i = from;
            for (; i + LANES < to; i += 2 * LANES) {
                a = a.add(at(i));
                b = b.add(at(i + LANES));
            }
            if (i < to) {
                a = a.add(at(i));
            }
            sum += sumOfLanes(a.add(b));
        }
        for (int i = whole; i < n; i++) {
            sum += values[i];
        }
        return sum;
    }

    @Override
    public double dot(int n, Row other) {
        VectorRow y = of(other);
        int whole = SPECIES.loopBound(n);
        double sum = 0;
        for (int from = 0; from < whole; from += BLOCK * LANES) {
            int to = Math.min(whole, from + BLOCK * LANES);
            FloatVector a = FloatVector.zero(SPECIES);
            FloatVector b = a;
            int i = from;
            for (; i + LANES < to; i += 2 * LANES) {
                a = at(i).fma(y.at(i), a);
                b = at(i + LANES).fma(y.at(i + LANES), b);
            }
            if (i < to) {
                a = at(i).fma(y.at(i), a);
            }
            sum += sumOfLanes(a.add(b));
        }
        for (int i = whole; i < n; i++) {
            sum += (double) values[i] * y.values[i];
        }
        return sum;
    }

    /** Sums the lanes in order, which {@code reduceLanes} does not guarantee. */
    private static double sumOfLanes(FloatVector v) {
        float[] lanes = new float[LANES];
        v.intoArray(lanes, 0);
        double sum = 0;
        for (float lane : lanes) {
            sum += lane;
        }
        return sum;
    }

    @Override
    public void exp(int n, double shift) {
        for (int i = 0; i < n; i += LANES) {
            exp(at(i).sub((float) shift)).intoArray(values, i);
        }
    }

    /** Computes exp as {@link VectorExp} does, in one pass. */
    private static FloatVector exp(FloatVector x) {
        FloatVector rounded = x.fma(broadcast(VectorExp.LOG2_E), broadcast(VectorExp.ROUND));
        FloatVector k = rounded.sub(VectorExp.ROUND);
        FloatVector r = k.fma(broadcast(-VectorExp.LN2_HIGH), x);
        r = k.fma(broadcast(-VectorExp.LN2_LOW), r);
        FloatVector mantissa = r.fma(broadcast(VectorExp.C7), broadcast(VectorExp.C6));
        mantissa = mantissa.fma(r, broadcast(VectorExp.C5));
        mantissa = mantissa.fma(r, broadcast(VectorExp.C4));
        mantissa = mantissa.fma(r, broadcast(VectorExp.C3));
        mantissa = mantissa.fma(r, broadcast(VectorExp.C2));
        mantissa = mantissa.fma(r, broadcast(1));
        mantissa = mantissa.fma(r, broadcast(1));
        IntVector exponent = rounded.reinterpretAsInts().sub(VectorExp.ROUND_BITS - 127).max(0).min(VectorExp.LARGEST_EXPONENT);
        return mantissa.mul(exponent.lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
    }

    private static FloatVector broadcast(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }

    @Override
    public void scale(int n, double factor) {
        for (int i = 0; i < n; i += LANES) {
            at(i).mul((float) factor).intoArray(values, i);
        }
    }

    @Override
    public void add(int n, double factor, Row other) {
        VectorRow y = of(other);
        FloatVector a = broadcast((float) factor);
        for (int i = 0; i < n; i += LANES) {
            y.at(i).fma(a, at(i)).intoArray(values, i);
        }
    }

    @Override
    public void add(int n, double factor, Row first, Row second) {
        VectorRow y = of(first);
        VectorRow z = of(second);
        for (int i = 0; i < n; i += LANES) {
            y.at(i).mul((float) factor).fma(z.at(i), at(i)).intoArray(values, i);
        }
    }

    @Override
    public void multiply(int n, Row other) {
        VectorRow y = of(other);
        for (int i = 0; i < n; i += LANES) {
            at(i).mul(y.at(i)).intoArray(values, i);
        }
    }

    @Override
    public void sigmoid(int n, Row other) {
        VectorRow y = of(other);
        FloatVector one = broadcast(1);
        for (int i = 0; i < n; i += LANES) {
            one.div(exp(y.at(i).neg()).add(one)).intoArray(values, i);
        }
    }

    @Override
    public void siluDerivative(int n, Row other, Row sigmoid) {
        VectorRow y = of(other);
        VectorRow s = of(sigmoid);
        FloatVector one = broadcast(1);
        for (int i = 0; i < n; i += LANES) {
            FloatVector sigma = s.at(i);
            y.at(i).fma(one.sub(sigma), one).mul(sigma).intoArray(values, i);
        }
    }

    @Override
    public void rotate(int heads, int headDim, Row angles, int sign) {
        float[] x = values;
        float[] t = of(angles).values;
        int half = headDim / 2;
        int whole = SPECIES.loopBound(half);
        for (int first = 0; first < heads * headDim; first += headDim) {
            int second = first + half;
            for (int j = 0; j < whole; j += LANES) {
                FloatVector cos = FloatVector.fromArray(SPECIES, t, j);
                FloatVector sin = FloatVector.fromArray(SPECIES, t, half + j).mul(sign);
                FloatVector a = at(first + j);
                FloatVector b = at(second + j);
                a.mul(cos).sub(b.mul(sin)).intoArray(x, first + j);
                b.mul(cos).add(a.mul(sin)).intoArray(x, second + j);
            }
            rotateHead(first, whole, half, t, sign);
        }
    }

    /**
     * Applies {@link Bf16Products#rounded} to those of the first {@code n} elements that fill whole vectors.
     *
     * @return the number of elements rounded
     */
    static int roundToBf16(int[] bits, short[] rounded, int n) {
        int whole = INTS.loopBound(n);
        for (int i = 0; i < whole; i += LANES) {
            roundToBf16(IntVector.fromArray(INTS, bits, i)).intoArray(rounded, i);
        }
        return whole;
    }

    private static ShortVector roundToBf16(IntVector bits) {
        IntVector even = bits.lanewise(VectorOperators.LSHR, 16).and(1);
        IntVector high = bits.add(0x7fff).add(even).lanewise(VectorOperators.LSHR, 16);
        return (ShortVector) high.convertShape(VectorOperators.I2S, SHORTS, 0);
    }
}
