// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;
import java.util.List;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SequenceKey;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.errors.JobErrors;

/**
 * Identity of a set of soft labels, on which keys and codec depend.
 *
 * @param teacher   fingerprint of the teacher's weights
 * @param tokenizer fingerprint of its tokenizer
 * @param vocabSize size of the teacher's vocabulary
 * @param spec      which part of its distributions is kept
 * @param priors    priors with which rows are encoded
 */
public record Labels(String teacher, String tokenizer, int vocabSize, TargetSpec spec, TokenPriors priors)
        implements Serializable {
    /** Beginning of the names of a cache's folders. */
    public static final String FOLDER = "teacher=";

    /** Creates an identity without priors. */
    public Labels(String teacher, String tokenizer, int vocabSize, TargetSpec spec) {
        this(teacher, tokenizer, vocabSize, spec, TokenPriors.none(vocabSize));
    }

    Labels with(TokenPriors others) {
        return new Labels(teacher, tokenizer, vocabSize, spec, others);
    }

    public SoftTargetsCodec codec() {
        return priors.codec(spec);
    }

    public String key(int[] tokens) {
        return SequenceKey.of(tokens, teacher, tokenizer, spec);
    }

    /** Returns the folder in the cache, such as {@code teacher=0123456789abcdef/spec=top-32}. */
    public String folder() {
        return FOLDER + teacher.substring(0, 16) + "/spec=" + spec.name();
    }

    /** Decodes a row by the one of several labels whose key it has, see {@link #decode(LabelledSequence, String)}. */
    public static SoftTargets decode(List<Labels> all, LabelledSequence row, String cache) {
        return all.stream().skip(1).filter(labels -> labels.key(row.tokens()).equals(row.key())).findFirst().orElse(all.get(0)).decode(row, cache);
    }

    /**
     * Decodes a row after checking its key.
     *
     * @throws UserException if the row was made by another teacher or is damaged
     */
    public SoftTargets decode(LabelledSequence row, String cache) {
        if (!key(row.tokens()).equals(row.key())) {
            throw JobErrors.damagedRow(cache, row.key(), "the key does not belong to these tokens, this teacher and "
                    + spec.name() + ": the row was changed or comes from another cache");
        }
        try {
            SoftTargets targets = codec().decode(row.tokens(), row.targets());
            if (targets.positions() != row.positions()) {
                throw JobErrors.damagedRow(cache, row.key(), row.positions() + " positions but soft targets for " + targets.positions());
            }
            return targets;
        } catch (UserException e) {
            throw e.problem().startsWith("a row") ? e : JobErrors.damagedRow(cache, row.key(), e.problem() + ": " + e.cause());
        }
    }
}
