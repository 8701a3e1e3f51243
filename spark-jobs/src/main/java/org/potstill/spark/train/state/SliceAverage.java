// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.List;

/**
 * The average of the workers' results for one slice: the mean weighted by positions, summed in twice single precision and in the
 * workers' order, followed by the {@link OuterOptimizer}'s step.
 *
 * @param slice   the slice to average
 * @param payload encoding of the workers' values
 * @param outer   optimizer that is applied to the average
 */
public record SliceAverage(StateLayout.Slice slice, Payload payload, OuterOptimizer outer) {
    private static final int CHUNK = Payload.CHUNK;

    /** Function that unpacks the next chunk of a worker's values. */
    private interface Unpacking {
        void unpack(ByteBuffer packed, float[] target);
    }

    /**
     * Averages the slice and applies the outer optimizer.
     *
     * @param begin      the slice of the round's initial state
     * @param parameters each worker's packed parameters, in the workers' order
     * @param moments    each worker's packed moments, in the same order
     * @param positions  positions that each worker learnt from: its weight
     * @return the slice of the next round's initial state
     */
    public byte[] average(byte[] begin, List<ByteBuffer> parameters, List<ByteBuffer> moments, long[] positions) {
        double[] weights = weights(positions);
        byte[] result = new byte[slice.bytes()];
        FloatBuffer before = StateLayout.littleEndian(begin).asFloatBuffer();
        FloatBuffer after = StateLayout.littleEndian(result).asFloatBuffer();
        int momentumBegin = slice.parameters() + slice.moments();
        Scratch whole = new Scratch(CHUNK);
        for (int at = 0; at < slice.parameters(); at += CHUNK) {
            Scratch chunk = whole.of(Math.min(CHUNK, slice.parameters() - at));
            float[] from = chunk.begin;
            before.get(at, from);
            average(parameters, weights, chunk, (packed, target) -> payload.unpackParameters(packed, from, target));
            float[] momentum = new float[slice.momentum() == 0 ? 0 : from.length];
            if (momentum.length > 0) {
                before.get(momentumBegin + at, momentum);
                momentum = outer.momentum(from, chunk.sum, momentum);
                after.put(momentumBegin + at, momentum);
            }
            after.put(at, outer.step(from, chunk.sum, momentum));
        }
        for (int at = 0; at < slice.moments(); at += CHUNK) {
            Scratch chunk = whole.of(Math.min(CHUNK, slice.moments() - at));
            average(moments, weights, chunk, payload::unpackMoments);
            after.put(slice.parameters() + at, chunk.sum);
        }
        return result;
    }

    /** Reusable memory for one chunk. */
    private static final class Scratch {
        private final float[] begin;
        private final float[] values;
        private final float[] sum;
        private final float[] error;

        Scratch(int length) {
            begin = new float[length];
            values = new float[length];
            sum = new float[length];
            error = new float[length];
        }

        Scratch of(int length) {
            return length == begin.length ? this : new Scratch(length);
        }
    }

    static double[] weights(long[] positions) {
        double total = 0;
        for (long p : positions) {
            total += p;
        }
        double[] weights = new double[positions.length];
        for (int i = 0; i < weights.length; i++) {
            // If no position of the round is unmasked, nothing was learnt and all workers are still at the initial state.
            weights[i] = total == 0 ? 1.0 / weights.length : positions[i] / total;
        }
        return weights;
    }

    /** Computes the weighted average of the next chunk into {@code chunk.sum}. */
    private static void average(List<ByteBuffer> workers, double[] weights, Scratch chunk, Unpacking unpacking) {
        unpacking.unpack(workers.get(0), chunk.values);
        product(weights[0], chunk.values, chunk.sum, chunk.error);
        for (int w = 1; w < weights.length; w++) {
            unpacking.unpack(workers.get(w), chunk.values);
            addProduct(weights[w], chunk.values, chunk.sum, chunk.error);
        }
        for (int i = 0; i < chunk.sum.length; i++) {
            chunk.sum[i] += chunk.error[i];
        }
    }

    /**
     * Computes {@code sum + error = weight · values} as if in twice the precision of a float. Uses only floats, because the JIT
     * compiler vectorises this loop in floats but not in doubles. This and {@link #addProduct} are Dot2 of Ogita, Rump and Oishi,
     * Accurate Sum and Dot Product, SIAM J. Sci. Comput. 26 (2005).
     */
    private static void product(double weight, float[] values, float[] sum, float[] error) {
        float high = (float) weight;
        float low = (float) (weight - high);
        for (int i = 0; i < values.length; i++) {
            float product = high * values[i];
            error[i] = Math.fma(high, values[i], -product) + low * values[i];
            sum[i] = product;
        }
    }

    /** Computes {@code sum + error += weight · values}. */
    private static void addProduct(double weight, float[] values, float[] sum, float[] error) {
        float high = (float) weight;
        float low = (float) (weight - high);
        for (int i = 0; i < values.length; i++) {
            float product = high * values[i];
            float rest = Math.fma(high, values[i], -product) + low * values[i];
            float next = sum[i] + product;
            float added = next - sum[i];
            error[i] += (sum[i] - (next - added)) + (product - added) + rest;
            sum[i] = next;
        }
    }
}
