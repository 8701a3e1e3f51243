package org.potstill.spark.train;

import java.util.List;

/**
 * What the workers train, whole.
 *
 * @param parameters   of the student
 * @param updaterState Adam's moments; empty for SGD
 * @param momentum     of the {@link OuterOptimizer}; empty where it has none
 */
record ModelState(float[] parameters, float[] updaterState, float[] momentum) {
    long bytes() {
        return Float.BYTES * ((long) parameters.length + updaterState.length + momentum.length);
    }

    StateSlice slice(Slicing slicing, int index) {
        return new StateSlice(slice(parameters, slicing, index), slice(updaterState, slicing, index), slice(momentum, slicing, index), List.of());
    }

    private static FloatChunks slice(float[] values, Slicing slicing, int index) {
        return FloatChunks.copyOf(values, slicing.begin(values.length, index), slicing.begin(values.length, index + 1));
    }

    static ModelState join(List<StateSlice> slices) {
        return new ModelState(joined(slices.stream().map(StateSlice::parameters).toList()),
                joined(slices.stream().map(StateSlice::updaterState).toList()), joined(slices.stream().map(StateSlice::momentum).toList()));
    }

    private static float[] joined(List<FloatChunks> slices) {
        float[] whole = new float[slices.stream().mapToInt(FloatChunks::length).sum()];
        int at = 0;
        for (FloatChunks slice : slices) {
            slice.copyTo(whole, at);
            at += slice.length();
        }
        return whole;
    }
}
