// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.Arrays;
import java.util.Optional;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.inspect.Problem.Kind;

/** Check of the invariants of a row, see {@code docs/cache-format.md}. */
final class RowCheck {
    /** Tolerance for rounding in the sum of a position's probabilities. */
    private static final double ROUNDING = 1e-4;

    private final Labels labels;
    private final SoftTargetsCodec codec;

    /**
     * Creates a check.
     *
     * @param labels labels that the rows must belong to
     */
    RowCheck(Labels labels) {
        this.labels = labels;
        this.codec = labels.codec();
    }

    /**
     * Checks a row.
     *
     * @return the first problem found, if any
     */
    Optional<Problem> check(String file, LabelledSequence row) {
        String key = labels.key(row.tokens());
        if (!key.equals(row.key())) {
            return problem(Kind.WRONG_KEY, file, row, "tokens, teacher, tokenizer and specification have the key " + key
                    + ": the row was changed or comes from another cache");
        }
        if (row.tokens().length < 2) {
            return problem(Kind.DAMAGED_TARGETS, file, row, row.tokens().length + " tokens predict nothing");
        }
        for (int token : row.tokens()) {
            if (token < 0 || token >= labels.vocabSize()) {
                return problem(Kind.DAMAGED_TARGETS, file, row, "the token id " + token + " is outside the vocabulary of " + labels.vocabSize());
            }
        }
        return targets(file, row).or(() -> statistics(file, row));
    }

    private Optional<Problem> targets(String file, LabelledSequence row) {
        SoftTargets targets;
        try {
            targets = codec.decode(row.tokens(), row.targets());
        } catch (UserException e) {
            return problem(Kind.DAMAGED_TARGETS, file, row, e.problem() + ": " + e.cause());
        }
        if (targets.positions() != row.positions()) {
            return problem(Kind.DAMAGED_TARGETS, file, row, row.positions() + " positions but soft targets for " + targets.positions());
        }
        for (int t = 0; t < targets.positions(); t++) {
            String wrong = wrong(targets, t);
            if (wrong != null) {
                return problem(Kind.IMPOSSIBLE_TARGETS, file, row, "position " + t + ": " + wrong);
            }
        }
        return Optional.empty();
    }

    /**
     * Checks a position.
     *
     * @return the problem; null if there is none
     */
    String wrong(SoftTargets targets, int t) {
        double sum = 0;
        for (int i = targets.begin(t); i < targets.end(t); i++) {
            float p = targets.probabilities()[i];
            if (!(p > 0 && p <= 1)) {
                return "the probability " + p;
            }
            sum += p;
        }
        if (sum > 1 + ROUNDING || !labels.spec().hasGhost() && sum < 1 - ROUNDING) {
            return "the probabilities sum to " + sum;
        }
        int[] ids = Arrays.copyOfRange(targets.ids(), targets.begin(t), targets.end(t));
        Arrays.sort(ids);
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= labels.vocabSize()) {
                return "the token id " + ids[i] + " outside the vocabulary of " + labels.vocabSize();
            }
            if (i > 0 && ids[i] == ids[i - 1]) {
                return "the token id " + ids[i] + " twice";
            }
        }
        return null;
    }

    private static Optional<Problem> statistics(String file, LabelledSequence row) {
        if (!isStatistic(row.teacherLoss()) || !isStatistic(row.teacherEntropy())) {
            return problem(Kind.IMPOSSIBLE_STATISTICS, file, row,
                    "the teacher's loss is " + row.teacherLoss() + ", its entropy " + row.teacherEntropy());
        }
        return Optional.empty();
    }

    /** Returns whether this can be a mean loss or entropy, in nats. */
    static boolean isStatistic(float nats) {
        return nats >= 0 && Float.isFinite(nats);
    }

    private static Optional<Problem> problem(Kind kind, String file, LabelledSequence row, String detail) {
        return Optional.of(new Problem(kind, file, row.key(), detail));
    }
}
