// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

/** The table of the rotary embedding (RoPE, arXiv 2104.09864): cosines and sines by position and frequency. */
public final class RotaryTable {
    private RotaryTable() {
    }

    /**
     * Computes one row. Frequencies and angles are rounded to single precision wherever transformers rounds them: at position 8000
     * this changes an angle by 5e-4.
     *
     * @param frequencies {@code headDim / 2}, see {@link CausalLmConfig#rotaryFrequencies}
     * @param factor      of cosines and sines, except where the frequency is 0
     * @return {@code headDim / 2} cosines, then as many sines
     */
    public static double[] row(long position, float[] frequencies, double factor) {
        int half = frequencies.length;
        double[] row = new double[2 * half];
        for (int j = 0; j < half; j++) {
            float angle = position * frequencies[j];
            double by = frequencies[j] == 0 ? 1 : factor;
            row[j] = by * Math.cos(angle);
            row[half + j] = by * Math.sin(angle);
        }
        return row;
    }
}
