package org.potstill.softlabels;

import java.io.Serializable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.potstill.errors.UserException;

/**
 * What is kept of the teacher's distribution at each position, at temperature 1. One of three kinds:
 *
 * <ul>
 * <li>{@code top-k}: the k most probable tokens with their probabilities; the rest of the mass is the ghost bucket;
 * <li>{@code sampled}: draws with replacement from the whole distribution, as distinct ids with the share of draws that fell
 *     on each: an unbiased estimate of all of it (random sampling KD, arXiv 2503.16870);
 * <li>{@code top-k and sampled}: the k most probable as they are, and the rest of the mass spread over draws from the others.
 * </ul>
 *
 * @param k     entries kept per position with their probabilities; 0 for none
 * @param draws per position from what k does not keep; 0 for none
 * @param seed  of the draws; 0 where there are none
 */
public record TargetSpec(int k, int draws, long seed) implements Serializable {
    public static final int MAX_K = 1024;
    public static final int MAX_DRAWS = 1024;
    private static final Pattern NAME = Pattern.compile("(?:top-(\\d{1,4}))?-?(?:sampled-(\\d{1,4})-seed-(-?\\d{1,19}))?");

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

    public static TargetSpec sampled(int draws, long seed) {
        return new TargetSpec(0, draws, seed);
    }

    public static TargetSpec topKAndSampled(int k, int draws, long seed) {
        return new TargetSpec(k, draws, seed);
    }

    /** @throws UserException for what is no {@link #name} */
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
        throw new UserException("'" + name + "' is no target specification", "one is called top-32, sampled-50-seed-0 or "
                + "top-8-sampled-50-seed-0", "use the name that potstill cache inspect shows");
    }

    /** The name in paths, keys and provenance: {@code top-32}, {@code sampled-50-seed-0}, {@code top-8-sampled-50-seed-0}. */
    public String name() {
        String sampled = draws == 0 ? "" : "sampled-" + draws + "-seed-" + seed;
        return k == 0 ? sampled : draws == 0 ? "top-" + k : "top-" + k + "-" + sampled;
    }

    /** Whether the mass that is not listed stays in one bucket. */
    public boolean hasGhost() {
        return draws == 0;
    }
}
