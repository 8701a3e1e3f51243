// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import org.potstill.errors.UserException;

/** User errors of evaluation. */
final class EvaluateErrors {
    /** The problem of {@link #teacherIsServed}. */
    static final String SERVED = "cannot evaluate with a teacher behind a URL";
    /** The problem of {@link #noHeldOutDocument}. */
    static final String NOTHING_HELD_OUT = "no document is held out for evaluation";

    private EvaluateErrors() {
    }

    static UserException teacherIsServed() {
        return new UserException(SERVED, "whole distributions are compared, and a server returns only the most "
                + "probable tokens", "set teacher.url to \"\" and teacher.path to a model that runs here");
    }

    static UserException noHeldOutDocument(double holdout, long documents) {
        return new UserException(NOTHING_HELD_OUT,
                "corpus.holdout = " + holdout + " of " + documents + " documents selected none",
                "raise corpus.holdout, or change the seed, before you label and train");
    }

    static UserException tokenizerDiffers(String teacher, String now, String student, String then) {
        return new UserException("the vocabularies of student and teacher do not match",
                "the tokenizer of " + teacher + " has the fingerprint " + now + ", the student in " + student
                        + " was trained with " + then,
                "set teacher.path to the model that made the labels");
    }

    static UserException teacherOverflows(String teacher, int sequences) {
        return new UserException("the teacher " + teacher + " gave no finite probabilities for any of " + sequences
                + " held-out sequences", "its weights or activations overflow", "use another teacher.precision, or check its weights");
    }

    static UserException studentOverflows(String student, int passages) {
        return new UserException("the student " + student + " gave no finite probabilities for any of " + passages
                + " held-out passages", "its weights or activations overflow", "train it again with a lower learning rate, or use evaluate.precision = fp32");
    }

    /** @param problems the most common problems of its documents; empty if there are none */
    static UserException emptyText(String name, String path, String problems) {
        return new UserException("nothing to evaluate in the corpus " + path, "no document of evaluate.corpora." + name + " has two tokens or more"
                + (problems.isEmpty() ? "" : "; unusable documents: " + problems),
                "check the path (a file, a folder or a glob) and corpus.text-field, or remove the setting");
    }

    /** Rewords an error about corpus.path for another evaluation corpus. */
    static UserException badText(String name, UserException origin) {
        return new UserException(origin.problem(), origin.cause(), "check the path that evaluate.corpora." + name
                + " names (a file, a folder or a glob of text, JSON lines or Parquet files, by file extension), or remove the setting",
                origin);
    }

    static UserException unreadableTask(String name, String path, Throwable origin) {
        return new UserException("cannot read the task " + path, String.valueOf(origin.getMessage()),
                "check evaluate.tasks." + name + " and the permissions of the user who runs the job", origin);
    }

    static UserException badTask(String name, String path, int line, String why) {
        return new UserException("cannot use line " + line + " of the task " + path, why,
                "fix the file that evaluate.tasks." + name + " names; each line should look like {\"context\": \"Two and two make\", "
                        + "\"choices\": [\"four.\", \"five.\"], \"answer\": 0}");
    }
}
