package org.potstill.student;

import java.util.Arrays;

/**
 * The gradient of a vector parameter, a sum over rows: each slice of them adds up its own, and these are summed in order, so
 * that the sum does not depend on threads. Does nothing for a parameter that the model does not have.
 */
final class RowSums {
    private final Matrix target;
    private final int rows;
    private final Row[] slices;

    /**
     * @param target replaced by the sum, {@code [1, n]}; null for no parameter
     * @param rows   of the batch
     */
    RowSums(Matrix target, int rows) {
        this.target = target;
        this.rows = rows;
        this.slices = new Row[target == null ? 0 : Slices.count(rows)];
        Arrays.setAll(slices, i -> Row.of(target, target.columns()));
    }

    /** The sum of the slice that begins with row {@code from}. */
    Row at(int from) {
        return slices[from / Slices.size(rows)];
    }

    /** Adds all rows of the slice that begins with row {@code from}. */
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
