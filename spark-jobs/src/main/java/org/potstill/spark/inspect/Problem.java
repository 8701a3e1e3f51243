// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;

/**
 * A problem found in the cache.
 *
 * @param kind   kind of problem
 * @param file   affected file, or the folder in which something is missing
 * @param key    key of the affected row; empty if the problem is not one row's
 * @param detail description
 */
public record Problem(Kind kind, String file, String key, String detail) implements Serializable, Comparable<Problem> {
    public enum Kind {
        DAMAGED_DESCRIPTION("damaged descriptions of labels", "restore the damaged files from a copy, or delete their folder and label again"),
        UNREADABLE_FILE("files that cannot be read", Kind.DELETE),
        FOREIGN_FILE("files whose footers belong to other labels", Kind.DELETE),
        WRONG_KEY("rows whose key does not match their tokens", Kind.DELETE),
        DAMAGED_TARGETS("rows with damaged soft targets", Kind.DELETE),
        IMPOSSIBLE_TARGETS("rows whose soft targets are not distributions", Kind.DELETE),
        IMPOSSIBLE_STATISTICS("rows with an impossible loss or entropy", Kind.DELETE),
        DIFFERENT_DUPLICATES("keys whose rows differ", Kind.DELETE),
        MISSING_ROW("sequences of the snapshot without a row", "run potstill label again: only what is missing is scored"),
        TEACHER_DISAGREES("rows that the teacher scores differently", Kind.DELETE);

        private static final String DELETE = "delete the files named above and run potstill label again: only what is missing is scored";

        private final String what;
        private final String remedy;

        Kind(String what, String remedy) {
            this.what = what;
            this.remedy = remedy;
        }

        /** Returns the kind's name in the plural. */
        public String what() {
            return what;
        }

        public String remedy() {
            return remedy;
        }
    }

    @Override
    public int compareTo(Problem other) {
        int byKind = kind.compareTo(other.kind);
        int byFile = byKind != 0 ? byKind : file.compareTo(other.file);
        return byFile != 0 ? byFile : key.compareTo(other.key);
    }
}
