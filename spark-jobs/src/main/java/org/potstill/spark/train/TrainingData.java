package org.potstill.spark.train;

import java.io.Serializable;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.storage.StorageLevel;
import org.potstill.checkpoints.Sha256;
import org.potstill.spark.JobErrors;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.SnapshotEntry;
import scala.Tuple2;

/** The labelled sequences of the current snapshot, in the order of each epoch. */
final class TrainingData implements AutoCloseable {
    private final JavaPairRDD<String, LabelledSequence> sequences;
    private final JavaRDD<SnapshotEntry> snapshot;
    private final long size;
    private final long positions;
    private final double teacherLoss;
    private final long seed;

    TrainingData(LabelStore store, Responses responses, long seed) {
        this.seed = seed;
        this.snapshot = store.snapshot().persist(StorageLevel.MEMORY_AND_DISK_SER());
        JavaPairRDD<String, Boolean> wanted = snapshot.mapToPair(e -> new Tuple2<>(e.key(), true)).reduceByKey((a, b) -> a);
        HashPartitioner byKey = new HashPartitioner(Math.max(1, wanted.getNumPartitions()));
        this.sequences = store.sequences().mapToPair(s -> new Tuple2<>(s.key(), s))
                .join(wanted, byKey).mapValues(Tuple2::_1).persist(StorageLevel.MEMORY_AND_DISK_SER());
        long distinct = wanted.count();
        long held = sequences.count();
        if (held < distinct) {
            throw JobErrors.missingLabels(store.folder().path().toString(), distinct - held, distinct);
        }
        this.size = snapshot.count();
        Weighed sum = ordered(0).values()
                .map(s -> new Weighed(responses.count(s.tokens()), s.positions(), (double) s.positions() * s.teacherLoss()))
                .fold(new Weighed(0, 0, 0), Weighed::plus);
        if (sum.counted() == 0) {
            throw JobErrors.nothingToLearn();
        }
        this.positions = sum.counted();
        this.teacherLoss = sum.loss() / sum.all();
    }

    private record Weighed(long counted, long all, double loss) implements Serializable {
        Weighed plus(Weighed other) {
            return new Weighed(counted + other.counted, all + other.all, loss + other.loss);
        }
    }

    /** Sequences per epoch. */
    long size() {
        return size;
    }

    /** Next-token predictions per epoch that are learnt from. */
    long positions() {
        return positions;
    }

    /** The teacher's cross-entropy on the whole training text, in nats: where a perfect student would end. */
    double teacherLoss() {
        return teacherLoss;
    }

    /**
     * The epoch's sequences with their place in its order, which seed, epoch and what the sequences hold alone decide: not
     * where the corpus lies. The same text twice may change places with itself.
     */
    JavaPairRDD<Long, LabelledSequence> ordered(int epoch) {
        long draw = seed;
        JavaPairRDD<String, Long> order = snapshot.sortBy(e -> shuffleKey(draw, epoch, e), true, snapshot.getNumPartitions())
                .zipWithIndex().mapToPair(e -> new Tuple2<>(e._1().key(), e._2()));
        return sequences.join(order).mapToPair(e -> new Tuple2<>(e._2()._2(), e._2()._1()));
    }

    private static String shuffleKey(long seed, int epoch, SnapshotEntry entry) {
        return Sha256.of(seed + "\n" + epoch + "\n" + entry.key() + "\n" + entry.sequence());
    }

    @Override
    public void close() {
        sequences.unpersist(false);
        snapshot.unpersist(false);
    }
}
