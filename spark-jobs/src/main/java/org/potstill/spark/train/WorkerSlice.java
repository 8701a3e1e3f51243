package org.potstill.spark.train;

import java.io.Serializable;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.potstill.student.StepLoss;

/**
 * A part of what a worker reached in a round: slice {@code index} of {@code count} of its parameters and updater state.
 *
 * @param worker    that trained
 * @param positions it learnt from: its weight
 * @param state     this slice of the two arrays
 * @param losses    of its steps, in slice 0 only
 */
record WorkerSlice(int worker, long positions, ModelState state, List<StepLoss> losses) implements Serializable {
    static WorkerSlice of(int worker, long positions, float[] parameters, float[] updaterState, List<StepLoss> losses,
            int index, int count) {
        return new WorkerSlice(worker, positions, new ModelState(cut(parameters, index, count), cut(updaterState, index, count)),
                index == 0 ? losses : List.of());
    }

    private static float[] cut(float[] whole, int index, int count) {
        return Arrays.copyOfRange(whole, begin(whole.length, index, count), begin(whole.length, index + 1, count));
    }

    static int begin(int length, int index, int count) {
        return (int) ((long) length * index / count);
    }

    /** The mean weighted by positions, summed in double and in the workers' order: the same whichever came first. */
    static ModelState average(List<WorkerSlice> slices) {
        List<WorkerSlice> ordered = slices.stream().sorted(Comparator.comparingInt(WorkerSlice::worker)).toList();
        if (ordered.size() == 1) {
            return ordered.get(0).state();
        }
        double total = ordered.stream().mapToLong(WorkerSlice::positions).sum();
        return new ModelState(
                mean(ordered.stream().map(s -> s.state().parameters()).toList(), ordered, total),
                mean(ordered.stream().map(s -> s.state().updaterState()).toList(), ordered, total));
    }

    private static float[] mean(List<float[]> values, List<WorkerSlice> slices, double total) {
        double[] sum = new double[values.get(0).length];
        for (int w = 0; w < slices.size(); w++) {
            double weight = slices.get(w).positions() / total;
            float[] value = values.get(w);
            for (int i = 0; i < sum.length; i++) {
                sum[i] += weight * value[i];
            }
        }
        float[] mean = new float[sum.length];
        for (int i = 0; i < sum.length; i++) {
            mean[i] = (float) sum[i];
        }
        return mean;
    }
}
