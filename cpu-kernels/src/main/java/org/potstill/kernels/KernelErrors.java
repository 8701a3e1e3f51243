// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import org.potstill.errors.UserException;

/** Factory of all user errors of this module. */
public final class KernelErrors {
    private KernelErrors() {
    }

    public static UserException tensorTooLarge(long rows, long columns) {
        return new UserException("a tensor of " + rows + " x " + columns,
                "one tensor may take 2 GiB at most", "choose a smaller model, or shorter or fewer sequences a batch");
    }
}
