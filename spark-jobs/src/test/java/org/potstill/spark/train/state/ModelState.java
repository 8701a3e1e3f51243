// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

/** A whole state in arrays, which no heap of the product holds. */
public record ModelState(float[] parameters, float[] updaterState, float[] momentum) {
    public StateLayout layout(int workers) {
        return StateLayout.of(parameters.length, updaterState.length, momentum.length, workers);
    }

    public static ModelState blank(StateLayout layout) {
        return new ModelState(new float[layout.parameters()], new float[layout.updaterState()], new float[layout.momentum()]);
    }

    public static ModelState of(StateCopy copy) {
        StateLayout layout = copy.layout(1);
        ModelState state = blank(layout);
        for (int i = 0; i < layout.slices(); i++) {
            state.paste(copy.cut(layout, i), layout, i);
        }
        return state;
    }

    public byte[] cut(StateLayout layout, int index) {
        StateLayout.Slice slice = layout.slice(index);
        byte[] bytes = new byte[slice.bytes()];
        StateLayout.littleEndian(bytes).asFloatBuffer()
                .put(parameters, slice.firstParameter(), slice.parameters())
                .put(updaterState, slice.firstMoment(), slice.moments())
                .put(momentum, slice.firstMomentum(), slice.momentum());
        return bytes;
    }

    public void paste(byte[] bytes, StateLayout layout, int index) {
        StateLayout.Slice slice = layout.slice(index);
        StateLayout.littleEndian(bytes).asFloatBuffer()
                .get(parameters, slice.firstParameter(), slice.parameters())
                .get(updaterState, slice.firstMoment(), slice.moments())
                .get(momentum, slice.firstMomentum(), slice.momentum());
    }
}
