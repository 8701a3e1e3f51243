// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.kernels.Matrix;
import org.potstill.student.kernels.Row;

/**
 * Cosines and sines of the rotary embedding, {@code [positions, headDim]}, cosines first. Frequencies and angles are
 * rounded to single precision wherever Hugging Face's code rounds them, so that logits agree at late positions too.
 */
public final class RotaryAngles {
    private final int headDim;
    private final float[] frequencies;
    private final DataType type;
    private Matrix table;

    RotaryAngles(CausalLmConfig config, DataType type) {
        this.headDim = config.headDim();
        this.frequencies = config.rotaryFrequencies();
        this.type = type;
    }

    Matrix table() {
        return table;
    }

    void reserve(int positions) {
        if (table != null && table.rows() >= positions) {
            return;
        }
        free();
        table = Matrix.allocate(type, positions, headDim);
        Row row = Row.of(table, headDim);
        for (int position = 0; position < positions; position++) {
            double[] values = of(position, frequencies);
            for (int j = 0; j < headDim; j++) {
                row.set(j, values[j]);
            }
            row.store(table, position, 0, headDim);
        }
    }

    /**
     * Returns the cosines, then the sines, of one position: {@code headDim / 2} of each.
     *
     * @param frequencies from {@link CausalLmConfig#rotaryFrequencies}
     */
    public static double[] of(int position, float[] frequencies) {
        int half = frequencies.length;
        double[] values = new double[2 * half];
        for (int j = 0; j < half; j++) {
            float angle = position * frequencies[j];
            values[j] = Math.cos(angle);
            values[half + j] = Math.sin(angle);
        }
        return values;
    }

    void free() {
        if (table != null) {
            table.free();
        }
    }
}
