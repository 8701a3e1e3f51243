// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.RotaryTable;
import org.potstill.student.kernels.Matrix;
import org.potstill.student.kernels.Row;

/** The {@link RotaryTable} in native memory, {@code [positions, headDim]}, cosines first. */
final class RotaryAngles {
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
            double[] values = RotaryTable.row(position, frequencies);
            for (int j = 0; j < headDim; j++) {
                row.set(j, values[j]);
            }
            row.store(table, position, 0, headDim);
        }
    }

    void free() {
        if (table != null) {
            table.free();
        }
    }
}
