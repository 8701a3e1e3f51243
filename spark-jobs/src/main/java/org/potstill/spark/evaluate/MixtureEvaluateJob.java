// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.teacher.EachTeacher;
import org.potstill.spark.teacher.TeacherSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Comparison of the student of several teachers with each of them, on the documents that this teacher scores. */
public final class MixtureEvaluateJob {
    private static final Logger LOG = LoggerFactory.getLogger(MixtureEvaluateJob.class);

    private final SparkSession spark;
    private final Settings settings;

    public MixtureEvaluateJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.settings = settings;
    }

    /** Whether servers run all of the teachers, which then cannot be compared with. */
    public static boolean areAllServed(Settings settings) {
        return !EachTeacher.all(settings, TeacherSource::isServed).contains(false);
    }

    /**
     * Runs the evaluations. A teacher is left out if a server runs it, or if none of its documents is held out.
     *
     * @return a summary for the report
     */
    public MixtureEvaluateSummary run() {
        SortedMap<String, EvaluateSummary> summaries = new TreeMap<>();
        SortedMap<String, String> leftOut = new TreeMap<>();
        UserException last = null;
        for (String name : settings.teachers()) {
            try {
                summaries.put(name, new EvaluateJob(spark, settings.ofTeacher(name)).run());
            } catch (UserException e) {
                if (!e.problem().equals(EvaluateErrors.NOTHING_HELD_OUT) && !e.problem().equals(EvaluateErrors.SERVED)) {
                    throw JobErrors.ofTeacher(name, e);
                }
                LOG.warn("the student is not compared with the teacher '{}': {}: {}", name, e.problem(), e.cause());
                leftOut.put(name, e.problem() + ": " + e.cause());
                last = e;
            }
        }
        if (summaries.isEmpty()) {
            throw last;
        }
        return MixtureEvaluateSummary.of(summaries, leftOut);
    }
}
