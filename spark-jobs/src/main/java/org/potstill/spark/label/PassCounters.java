package org.potstill.spark.label;

import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.util.DoubleAccumulator;
import org.apache.spark.util.LongAccumulator;
import org.potstill.teacher.Teacher;

/**
 * The counters of a teacher pass on the stage's page of Spark's UI, which a task that is run again counts twice, and, told
 * at the same time, the executor's own.
 *
 * @param tokens      scored
 * @param seconds     that teachers worked
 * @param modelLoads  of the teacher
 * @param quarantined sequences that it could not score
 * @param halvings    of batches, for want of memory
 * @param entropy     of its distributions, in nats, summed over tokens
 */
record PassCounters(LongAccumulator tokens, DoubleAccumulator seconds, LongAccumulator modelLoads, LongAccumulator quarantined,
        LongAccumulator halvings, DoubleAccumulator entropy) implements Serializable {
    static PassCounters of(SparkContext sc) {
        return new PassCounters(sc.longAccumulator("tokens scored"), sc.doubleAccumulator("seconds of scoring"),
                sc.longAccumulator("model loads"), sc.longAccumulator("sequences quarantined"),
                sc.longAccumulator("batch halvings"), sc.doubleAccumulator("teacher entropy, nats, sum"));
    }

    void loaded(int loads) {
        modelLoads.add(loads);
        ExecutorCounters.loaded(loads);
    }

    void scored(long count, double entropySum) {
        tokens.add(count);
        entropy.add(entropySum);
        ExecutorCounters.scored(count, entropySum);
    }

    void unscored() {
        quarantined.add(1);
        ExecutorCounters.unscored();
    }

    void worked(Teacher.Work work) {
        seconds.add(work.seconds());
        halvings.add(work.halvings());
        ExecutorCounters.worked(work);
    }
}
