package org.potstill.softlabels;

import org.potstill.errors.UserException;

/**
 * What is kept of the teacher's distribution at each position: its {@code k} most probable tokens at temperature 1.
 * The rest of the mass is the ghost bucket, one minus the sum of what is kept.
 *
 * @param k entries kept per position, at least 1
 */
public record TargetSpec(int k) {
    public static final int MAX_K = 1024;

    public TargetSpec {
        if (k < 1 || k > MAX_K) {
            throw new UserException("unusable target specification top-" + k,
                    "k must lie between 1 and " + MAX_K, "set targets.k to something like 32");
        }
    }

    /** The name in paths, keys and provenance, e.g. {@code top-32}. */
    public String name() {
        return "top-" + k;
    }
}
