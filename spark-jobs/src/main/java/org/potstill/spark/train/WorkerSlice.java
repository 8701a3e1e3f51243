package org.potstill.spark.train;

import java.io.Serializable;
import java.util.Comparator;
import java.util.List;
import org.potstill.student.StepLoss;

/**
 * A part of what a worker reached in a round, packed as the {@link Payload} has it.
 *
 * @param worker       that trained
 * @param positions    it learnt from: its weight
 * @param parameters   of this slice
 * @param updaterState of this slice
 * @param losses       of its steps, in slice 0 only
 */
record WorkerSlice(int worker, long positions, byte[] parameters, byte[] updaterState, List<StepLoss> losses) implements Serializable {
    /**
     * The mean of the workers' same slice weighted by positions, summed in double and in the workers' order: the same
     * whichever came first.
     *
     * @param begin the whole state that the round began with
     */
    static ModelState average(List<WorkerSlice> slices, Payload payload, ModelState begin, Slicing slicing, int index) {
        List<WorkerSlice> ordered = inOrder(slices);
        double total = ordered.stream().mapToLong(WorkerSlice::positions).sum();
        int from = slicing.begin(begin.parameters().length, index);
        int to = slicing.begin(begin.parameters().length, index + 1);
        double[] parameters = new double[to - from];
        double[] updaterState = new double[slicing.begin(begin.updaterState().length, index + 1)
                - slicing.begin(begin.updaterState().length, index)];
        for (WorkerSlice slice : ordered) {
            // A round of prompts alone teaches nothing, and leaves all at its beginning.
            double weight = total == 0 ? 1.0 / ordered.size() : slice.positions / total;
            add(parameters, weight, payload.unpackParameters(slice.parameters, begin.parameters(), from, to));
            add(updaterState, weight, payload.unpackMoments(slice.updaterState, updaterState.length));
        }
        return new ModelState(floats(parameters), floats(updaterState));
    }

    static List<WorkerSlice> inOrder(List<WorkerSlice> slices) {
        return slices.stream().sorted(Comparator.comparingInt(WorkerSlice::worker)).toList();
    }

    private static void add(double[] sum, double weight, float[] values) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += weight * values[i];
        }
    }

    private static float[] floats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }
}
