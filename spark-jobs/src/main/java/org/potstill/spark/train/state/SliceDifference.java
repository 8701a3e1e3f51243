// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.List;

/**
 * The mean of the workers' differences for one slice of parameters, and the step that it is: {@link Averaging#PARAMETERS}' counterpart
 * of {@link SliceAverage}. One executor computes the mean and packs it; all take the step from what is packed, so that all have the
 * same parameters.
 *
 * @param slice   the slice
 * @param payload encoding of the workers' differences and of their mean
 * @param outer   optimizer that takes the step
 */
public record SliceDifference(StateLayout.Slice slice, Payload payload, OuterOptimizer outer) {
    private static final int CHUNK = Payload.CHUNK;

    /**
     * Returns the packed mean.
     *
     * @param differences each worker's packed difference, in the workers' order
     * @param positions   positions that each worker learnt from: its weight
     * @param feedback    what earlier means still owe
     */
    public byte[] mean(List<ByteBuffer> differences, long[] positions, ErrorFeedback feedback) {
        double[] weights = SliceAverage.weights(positions);
        byte[] packed = new byte[payload.bytes(slice.parameters())];
        ByteBuffer out = StateLayout.littleEndian(packed);
        for (int at = 0; at < slice.parameters(); at += CHUNK) {
            int length = Math.min(CHUNK, slice.parameters() - at);
            double[] sum = new double[length];
            float[] values = new float[length];
            for (int worker = 0; worker < weights.length; worker++) {
                payload.unpack(differences.get(worker), values);
                for (int i = 0; i < length; i++) {
                    sum[i] += weights[worker] * values[i];
                }
            }
            for (int i = 0; i < length; i++) {
                values[i] = (float) sum[i];
            }
            feedback.pack(at, values, out);
        }
        return packed;
    }

    /**
     * Takes the step.
     *
     * @param begin  the slice of the round's initial state
     * @param before where it has its parameters and outer momentum
     * @param mean   as {@link #mean} returned it
     * @return the slice of the next round's initial state, without moments
     */
    public byte[] step(byte[] begin, StateLayout.Slice before, byte[] mean) {
        byte[] result = new byte[slice.bytes()];
        FloatBuffer from = StateLayout.littleEndian(begin).asFloatBuffer();
        FloatBuffer to = StateLayout.littleEndian(result).asFloatBuffer();
        ByteBuffer packed = StateLayout.littleEndian(mean);
        for (int at = 0; at < slice.parameters(); at += CHUNK) {
            float[] parameters = new float[Math.min(CHUNK, slice.parameters() - at)];
            float[] average = new float[parameters.length];
            from.get(at, parameters);
            payload.unpack(packed, average);
            for (int i = 0; i < average.length; i++) {
                average[i] += parameters[i];
            }
            float[] momentum = new float[slice.momentum() == 0 ? 0 : parameters.length];
            if (momentum.length > 0) {
                from.get(before.parameters() + before.moments() + at, momentum);
                momentum = outer.momentum(parameters, average, momentum);
                to.put(slice.parameters() + at, momentum);
            }
            to.put(at, outer.step(parameters, average, momentum));
        }
        return result;
    }
}
