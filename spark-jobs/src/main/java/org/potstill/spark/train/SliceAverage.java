package org.potstill.spark.train;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.List;

/**
 * What workers reached, averaged slice by slice: the mean weighted by positions, summed in twice the
 * precision and in the workers' order, and the {@link OuterOptimizer}'s step to it.
 *
 * @param slice   whose
 * @param payload how the workers' values come
 * @param outer   what becomes of the average
 */
record SliceAverage(StateLayout.Slice slice, Payload payload, OuterOptimizer outer) {
    private static final int CHUNK = Payload.CHUNK;

    /** Takes the next chunk of a worker's values apart. */
    private interface Unpacking {
        void unpack(ByteBuffer packed, float[] target);
    }

    /**
     * @param begin      the slice that the round began with
     * @param parameters the workers', packed, in the workers' order
     * @param moments    the workers', likewise
     * @param positions  each worker's weight
     * @return the slice that the next round begins with
     */
    byte[] of(byte[] begin, List<ByteBuffer> parameters, List<ByteBuffer> moments, long[] positions) {
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

    /** Memory for a chunk, used for one after the other. */
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

    private static double[] weights(long[] positions) {
        double total = 0;
        for (long p : positions) {
            total += p;
        }
        double[] weights = new double[positions.length];
        for (int i = 0; i < weights.length; i++) {
            // A round of prompts alone teaches nothing, and leaves all at its beginning.
            weights[i] = total == 0 ? 1.0 / weights.length : positions[i] / total;
        }
        return weights;
    }

    /** Leaves the average in {@code chunk.sum}. */
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
     * {@code sum + error = weight · values}, as if in twice the precision of a float: in floats, of which a processor multiplies sixteen
     * at once, and Java no double. This and {@link #addProduct} are Dot2 of Ogita, Rump and Oishi, Accurate Sum and Dot Product,
     * SIAM J. Sci. Comput. 26 (2005).
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

    /** {@code sum + error += weight · values}. */
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
