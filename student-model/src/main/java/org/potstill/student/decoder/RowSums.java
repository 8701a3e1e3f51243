// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.Arrays;
import org.potstill.kernels.Kernels;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Row;
import org.potstill.kernels.Slices;

/**
 * The gradient of a vector parameter, a sum over rows. Each slice of rows accumulates its own sum, and these are added in order,
 * so the result does not depend on threads. Does nothing for a parameter that the model lacks.
 */
final class RowSums {
    private final Matrix target;
    private final int rows;
    private final Row[] slices;

    /**
     * @param target overwritten with the sum, {@code [1, n]}; null if the model lacks the parameter
     * @param rows   number of rows in the batch
     */
    RowSums(Matrix target, int rows) {
        this.target = target;
        this.rows = rows;
        this.slices = new Row[target == null ? 0 : Slices.count(rows)];
        Arrays.setAll(slices, i -> Row.of(target, target.columns()));
    }

    /** Returns the sum of the slice that begins at row {@code from}; null if the model lacks the parameter. */
    Row at(int from) {
        return target == null ? null : slices[from / Slices.size(rows)];
    }

    /** Adds all rows of the slice that begins at row {@code from}. */
    void add(int from, Matrix gradient) {
        if (target != null) {
            Kernels.addRows(gradient, at(from));
        }
    }

    void store() {
        if (target != null) {
            Kernels.sum(slices, target);
        }
    }
}
