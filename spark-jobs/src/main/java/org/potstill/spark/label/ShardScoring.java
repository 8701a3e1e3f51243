// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.cache.ShardWriter;
import org.potstill.spark.hardware.DevicePeak;
import org.potstill.spark.hardware.DeviceWork;
import org.potstill.spark.hardware.Meter;
import org.potstill.spark.teacher.PassCounters;
import org.potstill.spark.teacher.TaskTeacher;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.scoring.ScoreAhead;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One task of the teacher pass: scores its sequences, encodes them and commits them as one file.
 *
 * @param longest     maximum sequence length of the teacher
 * @param batchTokens padded tokens per forward pass
 * @param cores       CPU cores per executor
 * @param meter       what the teacher needs and its device can do; null if the model's shape is unknown
 */
record ShardScoring(TeacherSource source, Labels labels, ShardWriter writer, int longest, int batchTokens, int cores,
        Meter meter, Broadcast<SerializableConfiguration> hadoop, PassCounters counters) implements Serializable {
    private static final Logger LOG = LoggerFactory.getLogger(ShardScoring.class);

    ShardResult score(Iterator<PendingSequence> pending) {
        List<PendingSequence> sequences = new ArrayList<>();
        pending.forEachRemaining(sequences::add);
        if (sequences.isEmpty()) {
            return new ShardResult(SparkEnv.get().executorId(), Cluster.gpuOfTask().orElse(-1), 0, 0, 0, 0, 0, 0, 0, 0, DeviceWork.NONE, Map.of());
        }
        TaskTeacher task = TaskTeacher.get(source, labels.teacher(), cores, hadoop.value().value(), counters);
        DevicePeak peak = meter == null ? null : meter.peak(task.teacher().device() == TeacherOptions.Device.CUDA);
        Shard shard = new Shard(labels.codec());
        ScoreAhead.forEach(task.teacher(), labels.spec(), sequences, PendingSequence::tokens, longest, batchTokens, (sequence, scored) -> {
            long begin = System.nanoTime();
            shard.add(sequence, scored);
            shard.storingNanos += System.nanoTime() - begin;
        });
        Teacher.Work work = task.teacher().takeWork();
        counters.worked(work);
        if (work.halvings() > 0) {
            LOG.warn("memory did not hold the teacher's batches: from now on they have {} padded tokens at most, of batch-tokens = {}",
                    work.tokenBudget(), batchTokens);
        }
        long begin = System.nanoTime();
        long bytes = shard.rows.isEmpty() ? 0 : writer.write(shard.rows, hadoop.value().value());
        shard.storingNanos += System.nanoTime() - begin;
        return new ShardResult(task.executor(), task.gpu(), task.loads(), work.halvings(), shard.positions, bytes, work.seconds(),
                shard.storingNanos / 1e9, shard.lossSum, shard.entropySum,
                meter == null ? DeviceWork.NONE : DeviceWork.of(shard.flops, work.seconds(), peak), shard.unscored);
    }

    /** Rows and sums accumulated for the file. */
    private final class Shard {
        private final SoftTargetsCodec codec;
        private final List<LabelledSequence> rows = new ArrayList<>();
        private final Map<String, String> unscored = new TreeMap<>();
        private long positions;
        private long storingNanos;
        private double lossSum;
        private double entropySum;
        private double flops;

        Shard(SoftTargetsCodec codec) {
            this.codec = codec;
        }

        void add(PendingSequence sequence, ScoredSequence scored) {
            if (scored.problem() != null) {
                unscored.put(sequence.key(), scored.problem());
                counters.unscored();
                return;
            }
            double loss = scored.loss();
            double entropy = scored.entropy();
            int length = sequence.positions();
            rows.add(new LabelledSequence(sequence.document(), sequence.key(), sequence.tokens(),
                    codec.encode(sequence.tokens(), scored.targets()), (float) (loss / length), (float) (entropy / length)));
            positions += length;
            lossSum += loss;
            entropySum += entropy;
            flops += meter == null ? 0 : meter.model().forward(length);
            counters.scored(length, entropy);
        }
    }
}
