// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.spark.Cluster;
import org.potstill.spark.Progress;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.hardware.Arithmetic;
import org.potstill.spark.hardware.Meter;
import org.potstill.spark.metrics.Comparison;
import org.potstill.spark.teacher.ExecutorTeacher;
import org.potstill.spark.teacher.PassCounters;
import org.potstill.spark.teacher.TeacherSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/** Scoring of the pending sequences by the teacher. */
final class TeacherPass {
    private static final Logger LOG = LoggerFactory.getLogger(TeacherPass.class);

    private final JavaSparkContext sc;
    private final TeacherSource source;
    private final LabelSettings told;
    private final int cores;
    private final Broadcast<SerializableConfiguration> hadoop;
    private final PassCounters counters;
    private PrecisionCost precisionCost;

    TeacherPass(JavaSparkContext sc, TeacherSource source, LabelSettings told) {
        this.sc = sc;
        this.source = source;
        this.told = told;
        this.cores = Cluster.coresPerExecutor(sc);
        this.hadoop = Cluster.hadoop(sc);
        this.counters = PassCounters.of(sc.sc());
    }

    /** Returns the loss due to the teacher's precision; null in FP32 or if nothing was scored. */
    PrecisionCost precisionCost() {
        return precisionCost;
    }

    /** Makes executors load the teacher that has this fingerprint. */
    void prefetch(String fingerprint) {
        TeacherSource from = source;
        int ofExecutor = cores;
        Broadcast<SerializableConfiguration> shared = hadoop;
        int slots = Cluster.taskSlots(sc);
        sc.parallelize(Collections.nCopies(slots, fingerprint), slots)
                .foreach(print -> ExecutorTeacher.prefetch(from, print, ofExecutor, shared.value().value()));
    }

    /**
     * Scores the pending sequences.
     *
     * @param flops operations of the teacher; null if unknown
     */
    List<ShardResult> score(int longest, ModelFlops flops, LabelStore store, JavaRDD<PendingSequence> pending, long pendingPositions) {
        List<ShardResult> results = new ArrayList<>();
        if (source.precision() != Precision.FP32) {
            results.add(checkPrecision(store.labels().teacher(), pending.map(PendingSequence::tokens)));
        }
        ShardScoring task = new ShardScoring(source, store.labels(), store.shardWriter(), longest, told.batchTokens(), cores, meter(flops),
                hadoop, counters);
        int shards = Cluster.shards(pendingPositions, told.shardTokens());
        try (Progress progress = Progress.of("label", pendingPositions, sc.sc(), counters.tokens())) {
            // Longest first, so that the last tasks are short and a shard's sequences have similar lengths.
            results.addAll(pending
                    .mapToPair(s -> new Tuple2<>(String.format(Locale.ROOT, "%08x%s", Integer.MAX_VALUE - s.tokens().length, s.key()), s))
                    .sortByKey(true, shards).values()
                    .mapPartitions(shard -> List.of(task.score(shard)).iterator()).collect());
        }
        return results;
    }

    private Meter meter(ModelFlops flops) {
        int threads = source.threads(cores);
        return flops == null ? null : new Meter(flops, Arithmetic.of(source.precision()), threads, threads, told.hardware().teacherTflops());
    }

    private ShardResult checkPrecision(String fingerprint, JavaRDD<int[]> pending) {
        List<int[]> sample = new ArrayList<>();
        Iterator<int[]> all = pending.toLocalIterator();
        for (int positions = 0; positions < PrecisionCheck.POSITIONS && all.hasNext();) {
            sample.add(all.next());
            positions += sample.get(sample.size() - 1).length - 1;
        }
        PrecisionCheck check = new PrecisionCheck(source, fingerprint, cores, hadoop, counters);
        PrecisionCheck.Result result = sc.parallelize(List.of(sample), 1).map(check::run).first();
        Comparison sums = result.sums();
        String name = source.precision().name().toLowerCase(Locale.ROOT);
        precisionCost = new PrecisionCost(name, sums.kl() / sums.positions(), (double) sums.agreed() / sums.positions(), sums.positions());
        LOG.info("in {} the teacher's distributions are {} nats (KL) from those in fp32, over {} positions", name,
                String.format(Locale.ROOT, "%.4f", precisionCost.kl()), precisionCost.positions());
        if (!(precisionCost.kl() <= told.maxPrecisionKl())) {
            throw JobErrors.precisionTooLow(name, precisionCost.kl(), told.maxPrecisionKl());
        }
        return result.work();
    }
}
