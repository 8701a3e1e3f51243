// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

/** Something that a server has not recorded. */
final class UnrecordedException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final boolean refused;

    /** @param refused whether the server would refuse the same request again */
    UnrecordedException(String why, boolean refused) {
        super(why);
        this.refused = refused;
    }

    boolean isRefused() {
        return refused;
    }
}
