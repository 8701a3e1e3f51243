// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.io.Serializable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.potstill.errors.UserException;

/**
 * What is kept of the teacher's distribution at each position, at temperature 1. There are three kinds:
 *
 * <ul>
 * <li>{@code top-k}: the k most probable tokens with their probabilities; the remaining mass is the ghost bucket;
 * <li>{@code systematic}: draws from the whole distribution, stored as distinct ids with their share of the draws: an
 *     unbiased estimate of the distribution, as in random sampling KD (arXiv 2503.16870), where draws are independent. Here
 *     they lie evenly spaced along the cumulative distribution, so that the estimate varies less;
 * <li>{@code top-k and systematic}: the k most probable tokens with their probabilities, and the remaining mass spread over
 *     draws from the other tokens.
 * </ul>
 *
 * @param k     most probable tokens per position; 0 for none
 * @param draws draws per position from the other tokens; 0 for none
 * @param seed  of the draws; 0 without draws
 */
public record TargetSpec(int k, int draws, long seed) implements Serializable {
    public static final int MAX_K = 1024;
    public static final int MAX_DRAWS = 1024;
    private static final Pattern NAME = Pattern.compile("(?:top-(\\d{1,4}))?-?(?:systematic-(\\d{1,4})-seed-(-?\\d{1,19}))?");

    public TargetSpec {
        if (k < 0 || k > MAX_K || draws < 0 || draws > MAX_DRAWS || k + draws == 0) {
            throw new UserException("unusable target specification of " + k + " entries and " + draws + " draws",
                    "targets.k must lie between 0 and " + MAX_K + ", targets.draws between 0 and " + MAX_DRAWS
                            + ", and one of them above 0", "set targets.k to something like 32, or targets.draws to something like 50");
        }
        seed = draws == 0 ? 0 : seed;
    }

    public static TargetSpec topK(int k) {
        return new TargetSpec(k, 0, 0);
    }

    public static TargetSpec systematic(int draws, long seed) {
        return new TargetSpec(0, draws, seed);
    }

    public static TargetSpec topKAndSystematic(int k, int draws, long seed) {
        return new TargetSpec(k, draws, seed);
    }

    /**
     * Parses a {@link #name}.
     *
     * @throws UserException if it is not a valid name
     */
    public static TargetSpec parse(String name) {
        Matcher parts = NAME.matcher(name);
        if (parts.matches()) {
            TargetSpec spec = new TargetSpec(parts.group(1) == null ? 0 : Integer.parseInt(parts.group(1)),
                    parts.group(2) == null ? 0 : Integer.parseInt(parts.group(2)),
                    parts.group(3) == null ? 0 : Long.parseLong(parts.group(3)));
            if (spec.name().equals(name)) {
                return spec;
            }
        }
        throw new UserException("'" + name + "' is no target specification", "one is called top-32, systematic-50-seed-0 or "
                + "top-8-systematic-50-seed-0", "use the name that potstill cache inspect shows");
    }

    /** Whether {@link #parse} knows a name: other versions of Potstill may store other kinds of targets. */
    public static boolean isName(String name) {
        try {
            parse(name);
            return true;
        } catch (UserException e) {
            return false;
        }
    }

    /**
     * Returns the name for paths, keys and provenance: {@code top-32}, {@code systematic-50-seed-0}, {@code
     * top-8-systematic-50-seed-0}.
     */
    public String name() {
        String drawn = draws == 0 ? "" : "systematic-" + draws + "-seed-" + seed;
        return k == 0 ? drawn : draws == 0 ? "top-" + k : "top-" + k + "-" + drawn;
    }

    /** Returns whether the mass of unlisted tokens stays in one bucket. */
    public boolean hasGhost() {
        return draws == 0;
    }
}
