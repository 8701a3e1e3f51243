// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.util.DoubleAccumulator;
import org.apache.spark.util.LongAccumulator;
import org.potstill.spark.ExecutorCounters;
import org.potstill.teacher.scoring.Teacher;

/**
 * Accumulators of a teacher pass, shown on the stage's page of Spark's UI; tasks that run again are counted twice. Each update
 * also goes to {@link ExecutorCounters}.
 *
 * @param tokens      scored tokens
 * @param seconds     time that teachers spent scoring
 * @param modelLoads  number of times a teacher was loaded
 * @param quarantined sequences that the teacher could not score
 * @param halvings    number of times the batch size was halved because memory ran out
 * @param entropy     entropy of the teacher's distributions in nats, summed over tokens
 */
public record PassCounters(LongAccumulator tokens, DoubleAccumulator seconds, LongAccumulator modelLoads, LongAccumulator quarantined,
        LongAccumulator halvings, DoubleAccumulator entropy) implements Serializable {
    public static PassCounters of(SparkContext sc) {
        return new PassCounters(sc.longAccumulator("tokens scored"), sc.doubleAccumulator("seconds of scoring"),
                sc.longAccumulator("model loads"), sc.longAccumulator("sequences quarantined"),
                sc.longAccumulator("batch halvings"), sc.doubleAccumulator("teacher entropy, nats, sum"));
    }

    void loaded(int loads) {
        modelLoads.add(loads);
        ExecutorCounters.loaded(loads);
    }

    public void scored(long count, double entropySum) {
        tokens.add(count);
        entropy.add(entropySum);
        ExecutorCounters.scored(count, entropySum);
    }

    public void unscored() {
        quarantined.add(1);
        ExecutorCounters.unscored();
    }

    public void worked(Teacher.Work work) {
        seconds.add(work.seconds());
        halvings.add(work.halvings());
        ExecutorCounters.worked(work);
    }
}
