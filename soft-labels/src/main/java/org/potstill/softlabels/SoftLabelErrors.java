// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import org.potstill.errors.UserException;

/** All errors of this module that a user can fix. */
final class SoftLabelErrors {
    private static final String LABEL_AGAIN = "delete the file and run label again: it scores only what is missing";

    private SoftLabelErrors() {
    }

    static UserException damaged(String cause) {
        return new UserException("soft targets are damaged", cause, LABEL_AGAIN);
    }

    static UserException unknownVersion(int version, int known) {
        return new UserException("cannot read soft targets of format version " + version, "this Potstill reads version " + known,
                "read the cache with the Potstill that wrote it, or label again");
    }

    static UserException otherTargets(String stored, String asked) {
        return new UserException("soft targets do not fit what was asked for", "they hold " + stored + ", where " + asked + " was asked for",
                "use the target settings and the teacher that the cache was made with");
    }

    static UserException unknownPrior(long hash) {
        return new UserException("cannot read soft targets: their token prior is not at hand",
                "they name the prior " + TokenPrior.hex(hash), "put the file of that prior back beside the labels, or label again");
    }

    static UserException badPrior(String cause) {
        return new UserException("unusable token prior", cause, "restore the file from where the cache was copied, or label again");
    }
}
