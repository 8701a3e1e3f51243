package org.potstill.spark.train;

import java.io.Serializable;
import java.util.Comparator;
import java.util.List;
import org.potstill.student.StepLoss;

/**
 * A part of what a worker reached in a round, chunks packed as the {@link Payload} has it.
 *
 * @param worker       that trained
 * @param positions    it learnt from: its weight
 * @param parameters   of this slice
 * @param updaterState of this slice
 * @param losses       of its steps, in slice 0 only
 */
record WorkerSlice(int worker, long positions, byte[][] parameters, byte[][] updaterState, List<StepLoss> losses) implements Serializable {
    /** Takes a chunk apart, at its place in its slice. */
    private interface Unpacking {
        void unpack(WorkerSlice slice, int chunk, float[] target);
    }

    /**
     * The mean of the workers' same slice weighted by positions, summed in double and in the workers' order, the same
     * whichever came first; and the outer optimizer's step to it.
     *
     * @param begin the slice that the round began with
     */
    static StateSlice average(List<WorkerSlice> slices, Payload payload, OuterOptimizer outer, StateSlice begin) {
        List<WorkerSlice> ordered = slices.stream().sorted(Comparator.comparingInt(WorkerSlice::worker)).toList();
        FloatChunks before = begin.parameters();
        FloatChunks average = average(ordered, before.length(), (slice, c, target) ->
                payload.unpackParameters(slice.parameters[c], before.chunk(c), target));
        FloatChunks updaterState = average(ordered, begin.updaterState().length(), (slice, c, target) ->
                payload.unpackMoments(slice.updaterState[c], target));
        FloatChunks momentum = FloatChunks.of(begin.momentum().length(), c -> outer.momentum(before.chunk(c), average.chunk(c), begin.momentum().chunk(c)));
        FloatChunks after = FloatChunks.of(before.length(), c -> outer.step(before.chunk(c), average.chunk(c),
                momentum.length() == 0 ? new float[0] : momentum.chunk(c)));
        return new StateSlice(after, updaterState, momentum, ordered.stream().map(WorkerSlice::losses).toList());
    }

    private static FloatChunks average(List<WorkerSlice> ordered, int length, Unpacking unpacking) {
        double total = ordered.stream().mapToLong(WorkerSlice::positions).sum();
        return FloatChunks.of(length, c -> {
            float[] values = new float[FloatChunks.size(length, c)];
            double[] sum = new double[values.length];
            for (WorkerSlice slice : ordered) {
                // A round of prompts alone teaches nothing, and leaves all at its beginning.
                double weight = total == 0 ? 1.0 / ordered.size() : slice.positions / total;
                unpacking.unpack(slice, c, values);
                for (int i = 0; i < sum.length; i++) {
                    sum[i] += weight * values[i];
                }
            }
            for (int i = 0; i < sum.length; i++) {
                values[i] = (float) sum[i];
            }
            return values;
        });
    }
}
