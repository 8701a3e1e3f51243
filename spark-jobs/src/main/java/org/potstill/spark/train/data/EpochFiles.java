// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.IOException;
import java.io.Serializable;
import java.util.Iterator;
import java.util.Locale;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.spark.Partitioner;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.spark.Progress;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;
import scala.Tuple2;

/**
 * An epoch's sequences in files, in the order in which workers learn from them. Spark lays an epoch out once, before its first round;
 * then each worker reads what it learns from, batch by batch, and nothing of it stays in memory. Files are a function of the data,
 * the seed and the plan: a resumed run goes on with those that it finds.
 *
 * @param path         the epoch's folder
 * @param slotsPerFile number of consecutive {@link TrainingPlan#slot}s in a file
 */
public record EpochFiles(String path, TrainingPlan plan, long slotsPerFile, Broadcast<SerializableConfiguration> hadoop) implements Serializable {
    /** Of a file, by estimate: what one task sorts and writes. */
    private static final long FILE_BYTES = 128L << 20;
    private static final String WHAT = "training data";
    private static final int MAX_FILES = 100_000;
    /** Written last. */
    private static final String DONE = "done.json";

    /**
     * Divides an epoch among files.
     *
     * @param bytes about how many the sequences take
     */
    public static EpochFiles of(String path, TrainingPlan plan, long bytes, Broadcast<SerializableConfiguration> hadoop) {
        long perSequence = Math.max(1, bytes / plan.sequences());
        long slots = Math.max(TrainingPlan.divideUp(FILE_BYTES, perSequence), TrainingPlan.divideUp(plan.slots(), MAX_FILES));
        return new EpochFiles(path, plan, TrainingPlan.divideUp(slots, plan.batchSize()) * plan.batchSize(), hadoop);
    }

    boolean areWritten() {
        return folder().has(DONE);
    }

    /**
     * Writes the files.
     *
     * @param ordered sequences by their index in the epoch's order; some may come twice
     * @param task    what progress calls this
     * @param tokens  number of tokens in all
     */
    public void write(JavaPairRDD<Long, LearntSequence> ordered, String task, long tokens) {
        TrainingPlan order = plan;
        SparkContext sc = ordered.context();
        LongAccumulator written = sc.longAccumulator(task);
        try (Progress progress = Progress.of(task, tokens, sc, written)) {
            ordered.mapToPair(e -> new Tuple2<>(order.slot(e._1()), e._2()))
                    .repartitionAndSortWithinPartitions(new ByFile(parts(), slotsPerFile))
                    .foreachPartition(rows -> writePart(TaskContext.getPartitionId(), rows, written));
        }
        // An executor that does not see the driver's folder has written to one of its own.
        if (folder().names().stream().filter(name -> name.startsWith("part-")).count() < parts()) {
            throw JobErrors.notShared(WHAT, path, "train.scratch");
        }
        folder().createJson(DONE, HadoopFolder.JSON.createObjectNode().put("sequences", plan.sequences()));
    }

    private void writePart(int part, Iterator<Tuple2<Long, LearntSequence>> rows, LongAccumulator written) {
        folder().create(name(part), out -> EpochRows.write(rows, plan.batchSize(), written::add, out, hadoop.value().value()));
    }

    private HadoopFolder folder() {
        return new HadoopFolder(WHAT, path, hadoop.value().value());
    }

    private int parts() {
        return Math.toIntExact(TrainingPlan.divideUp(plan.slots(), slotsPerFile));
    }

    int part(long slot) {
        return (int) (slot / slotsPerFile);
    }

    String name(int part) {
        return String.format(Locale.ROOT, "part-%06d.parquet", part);
    }

    ParquetReader<Group> read(int part, long begin, long end) throws IOException {
        return EpochRows.read(folder().path(name(part)), hadoop.value().value(), begin, end);
    }

    /** Opens a worker's batches of a round. */
    public RoundBatches open(int round, int worker) {
        return new RoundBatches(this, round, worker);
    }

    private static final class ByFile extends Partitioner {
        private static final long serialVersionUID = 1L;
        private final int files;
        private final long slotsPerFile;

        ByFile(int files, long slotsPerFile) {
            this.files = files;
            this.slotsPerFile = slotsPerFile;
        }

        @Override
        public int numPartitions() {
            return files;
        }

        @Override
        public int getPartition(Object slot) {
            return (int) ((Long) slot / slotsPerFile);
        }
    }
}
