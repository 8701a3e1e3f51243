package org.potstill.spark.label;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.cache.ShardWriter;
import org.potstill.teacher.Batches;
import org.potstill.teacher.ScoredSequence;
import org.potstill.teacher.Teacher;
import scala.Tuple2;

/**
 * One task of the teacher pass: scores its sequences, encodes them and commits them as one file.
 *
 * @param longest     sequence that the teacher was made for
 * @param batchTokens padded tokens per forward pass
 * @param cores       of an executor
 */
record ShardScoring(TeacherSource source, Labels labels, String labelsPath, int longest, int batchTokens, int cores,
        Broadcast<SerializableConfiguration> hadoop, LongAccumulator scored) implements Serializable {
    /** @param pending key and token ids of each sequence */
    ShardResult score(Iterator<Tuple2<String, int[]>> pending) {
        List<String> keys = new ArrayList<>();
        List<int[]> sequences = new ArrayList<>();
        pending.forEachRemaining(sequence -> {
            keys.add(sequence._1());
            sequences.add(sequence._2());
        });
        String executor = SparkEnv.get().executorId();
        int gpu = Cluster.gpuOfTask().orElse(-1);
        if (sequences.isEmpty()) {
            return new ShardResult(executor, gpu, 0, 0, 0, 0, 0, 0, Map.of());
        }
        int[] loads = {0};
        Teacher teacher = ExecutorTeacher.get(source, labels.teacher(), cores, hadoop.value().value(), () -> loads[0]++);
        long begin = System.nanoTime();
        SoftTargetsCodec codec = labels.codec();
        List<LabelledSequence> rows = new ArrayList<>();
        Map<String, String> unscored = new TreeMap<>();
        long positions = 0;
        double lossSum = 0;
        for (int[] batch : Batches.plan(sequences.stream().mapToInt(s -> s.length).toArray(), longest, batchTokens)) {
            List<int[]> members = new ArrayList<>();
            for (int index : batch) {
                members.add(sequences.get(index));
            }
            List<ScoredSequence> results = teacher.score(members, labels.spec());
            for (int i = 0; i < batch.length; i++) {
                int length = members.get(i).length - 1;
                scored.add(length);
                if (results.get(i).problem() != null) {
                    unscored.put(keys.get(batch[i]), results.get(i).problem());
                    continue;
                }
                double loss = 0;
                for (float logProbability : results.get(i).tokenLogProbabilities()) {
                    loss -= logProbability;
                }
                rows.add(new LabelledSequence(keys.get(batch[i]), members.get(i),
                        codec.encode(results.get(i).targets()), (float) (loss / length)));
                positions += length;
                lossSum += loss;
            }
        }
        long bytes = rows.isEmpty() ? 0 : new ShardWriter(labelsPath, labels, hadoop.value().value()).write(rows);
        return new ShardResult(executor, gpu, loads[0], rows.size(), positions, bytes, (System.nanoTime() - begin) / 1e9, lossSum,
                unscored);
    }
}
