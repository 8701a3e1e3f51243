// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.RotaryTable;

/** The {@link RotaryTable} in native memory, {@code [positions, headDim]}, cosines first. */
public final class RotaryAngles {
    private final int headDim;
    private final float[] frequencies;
    private final double factor;
    private final DataType type;
    private Matrix table;

    /** @param factor see {@link RotaryTable#row} */
    public RotaryAngles(int headDim, float[] frequencies, double factor, DataType type) {
        this.headDim = headDim;
        this.frequencies = frequencies;
        this.factor = factor;
        this.type = type;
    }

    public static RotaryAngles global(CausalLmConfig config, DataType type) {
        return new RotaryAngles(config.headDim(), config.rotaryFrequencies(), config.traits().rotary().factor(), type);
    }

    /** Returns the angles of layers with local frequencies; null in models without such layers. */
    public static RotaryAngles local(CausalLmConfig config, DataType type) {
        return config.hasLocalFrequencies() ? new RotaryAngles(config.headDim(), config.localFrequencies(), 1, type) : null;
    }

    public Matrix table() {
        return table;
    }

    public void reserve(int positions) {
        if (table != null && table.rows() >= positions) {
            return;
        }
        free();
        table = Matrix.allocate(type, positions, headDim);
        Row row = Row.of(table, headDim);
        for (int position = 0; position < positions; position++) {
            double[] values = RotaryTable.row(position, frequencies, factor);
            for (int j = 0; j < headDim; j++) {
                row.set(j, values[j]);
            }
            row.store(table, position, 0, headDim);
        }
    }

    public void free() {
        if (table != null) {
            table.free();
        }
    }
}
