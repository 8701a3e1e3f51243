// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.teacher.PassCounters;
import org.potstill.spark.teacher.TaskTeacher;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.ScoreAhead;
import org.potstill.teacher.scoring.ScoredSequence;

/** Rescoring of cached rows with the teacher, to compare the results with the cache. */
public final class Rescoring {
    /** Largest difference attributed to another machine rather than another teacher: in nats, or for sampled targets as a share. */
    public static final double TOLERANCE = 0.05;

    /**
     * Comparison of a row with the teacher's current output.
     *
     * @param key        the row's key
     * @param identical  whether the encoded soft targets are the same, to the byte
     * @param difference see {@link TargetsDifference#of}; 0 if identical
     * @param statistics the larger difference of mean loss and mean entropy, in nats
     * @param problem    why the teacher could not score the sequence; null if it could
     */
    public record Rescored(String key, boolean identical, double difference, double statistics, String problem) implements Serializable {
        /** Whether the row is this teacher's, allowing for differences between machines. */
        public boolean agrees() {
            return problem == null && difference <= TOLERANCE && statistics <= TOLERANCE;
        }
    }

    private final TeacherSource source;
    private final String fingerprint;
    private final Pass pass;

    /** Data sent to executors. */
    private record Pass(TeacherSource source, String fingerprint, int longest, int batchTokens, int cores,
            Broadcast<SerializableConfiguration> hadoop, PassCounters counters) implements Serializable {
        List<Rescored> compare(Labels labels, List<LabelledSequence> all) {
            List<Rescored> results = new ArrayList<>();
            List<LabelledSequence> rows = new ArrayList<>();
            for (LabelledSequence row : all) {
                if (row.positions() <= longest) {
                    rows.add(row);
                } else {
                    results.add(new Rescored(row.key(), false, 0, 0, "the teacher was made for at most " + longest + " positions"));
                }
            }
            if (rows.isEmpty()) {
                return results;
            }
            SoftTargetsCodec codec = labels.codec();
            TaskTeacher task = TaskTeacher.get(source, fingerprint, cores, hadoop.value().value(), counters);
            ScoreAhead.forEach(task.teacher(), labels.spec(), rows, LabelledSequence::tokens, longest, batchTokens,
                    (row, scored) -> results.add(compare(codec, labels.spec(), row, scored)));
            counters.worked(task.teacher().takeWork());
            return results;
        }

        private Rescored compare(SoftTargetsCodec codec, TargetSpec spec, LabelledSequence row, ScoredSequence now) {
            if (now.problem() != null) {
                counters.unscored();
                return new Rescored(row.key(), false, 0, 0, now.problem());
            }
            double loss = now.loss();
            double entropy = now.entropy();
            counters.scored(row.positions(), entropy);
            byte[] encoded = codec.encode(row.tokens(), now.targets());
            boolean identical = Arrays.equals(encoded, row.targets());
            double difference = identical ? 0 : TargetsDifference.of(spec, codec.decode(row.tokens(), row.targets()),
                    codec.decode(row.tokens(), encoded));
            return new Rescored(row.key(), identical, difference, Math.max(Math.abs(loss / row.positions() - row.teacherLoss()),
                    Math.abs(entropy / row.positions() - row.teacherEntropy())), null);
        }
    }

    /** Opens the teacher's file to compute its fingerprint, without loading the weights for scoring. */
    public Rescoring(JavaSparkContext sc, Settings settings) {
        this.source = TeacherSource.of(settings);
        int batchTokens = settings.integer("batch-tokens", 1, 1 << 24);
        try (CausalLm teacher = source.model(sc.hadoopConfiguration())) {
            Teachers.require(teacher, source.options(1, 0));
            this.fingerprint = source.fingerprint(teacher);
            this.pass = new Pass(source, fingerprint, teacher.maxPositionEmbeddings(), batchTokens, Cluster.coresPerExecutor(sc),
                    Cluster.hadoop(sc), PassCounters.of(sc.sc()));
        }
    }

    /** Returns the teacher's fingerprint, see {@link TeacherSource#fingerprint}. */
    public String fingerprint() {
        return fingerprint;
    }

    /** Returns the counter of tokens scored so far. */
    public LongAccumulator tokens() {
        return pass.counters().tokens();
    }

    /**
     * Rescores rows.
     *
     * @param rows valid rows of these labels; each partition is held in memory
     */
    public JavaRDD<Rescored> apply(Labels labels, JavaRDD<LabelledSequence> rows) {
        Pass shared = pass;
        return rows.mapPartitions(part -> {
            List<LabelledSequence> whole = new ArrayList<>();
            part.forEachRemaining(whole::add);
            return shared.compare(labels, whole).iterator();
        });
    }
}
