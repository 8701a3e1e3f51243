package org.potstill.spark.label;

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
import org.potstill.spark.Settings;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.teacher.ScoreAhead;
import org.potstill.teacher.ScoredSequence;
import org.potstill.teacher.Teachers;

/** Has the teacher say again what rows of the cache say that it said. */
public final class Rescoring {
    /** What tells another teacher's row from another machine's, in nats, or of draws as a share. */
    public static final double TOLERANCE = 0.05;

    /**
     * A row and what the teacher says now.
     *
     * @param key        of the row
     * @param identical  whether the encoded soft targets are the same, to the byte
     * @param difference see {@link TargetsDifference#of}; 0 where they are
     * @param statistics the larger difference of mean loss and mean entropy, in nats
     * @param problem    why the teacher said nothing of use; null where it did
     */
    public record Rescored(String key, boolean identical, double difference, double statistics, String problem) implements Serializable {
        /** Whether the row is what this teacher says, whatever the machine. */
        public boolean agrees() {
            return problem == null && difference <= TOLERANCE && statistics <= TOLERANCE;
        }
    }

    private final TeacherSource source;
    private final String fingerprint;
    private final Pass pass;

    /** What goes to the executors. */
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

    /** Opens the teacher's file, not yet the teacher: enough to know which it is. */
    public Rescoring(JavaSparkContext sc, Settings settings) {
        this.source = TeacherSource.of(settings);
        int batchTokens = settings.integer("batch-tokens", 1, 1 << 24);
        try (CausalLm teacher = Teachers.model(source.localPath(sc.hadoopConfiguration()))) {
            Teachers.require(teacher, source.options(1, 0));
            this.fingerprint = source.fingerprint(teacher);
            this.pass = new Pass(source, fingerprint, teacher.maxPositionEmbeddings(), batchTokens, Cluster.coresPerExecutor(sc),
                    Cluster.hadoop(sc), PassCounters.of(sc.sc()));
        }
    }

    /** Of the teacher as it computes, see {@link TeacherSource#fingerprint}. */
    public String fingerprint() {
        return fingerprint;
    }

    /** Tokens scored so far. */
    public LongAccumulator tokens() {
        return pass.counters().tokens();
    }

    /** @param rows of these labels, sound by themselves; each partition is read whole */
    public JavaRDD<Rescored> apply(Labels labels, JavaRDD<LabelledSequence> rows) {
        Pass shared = pass;
        return rows.mapPartitions(part -> {
            List<LabelledSequence> whole = new ArrayList<>();
            part.forEachRemaining(whole::add);
            return shared.compare(labels, whole).iterator();
        });
    }
}
