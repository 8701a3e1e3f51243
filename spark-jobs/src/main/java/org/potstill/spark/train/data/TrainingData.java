// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.Serializable;
import java.util.Arrays;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.storage.StorageLevel;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.CorpusLabels;
import org.potstill.spark.cache.RowFacts;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.corpus.Responses;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.JobErrors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/**
 * The current snapshot's labelled sequences, in the order of each epoch. Fully masked sequences are left out: a batch of them would
 * be a step that learns nothing.
 */
public final class TrainingData implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(TrainingData.class);

    private final CorpusLabels labels;
    private final JavaRDD<SnapshotEntry> snapshot;
    private final JavaRDD<LearntPlace> places;
    private final JavaRDD<LearntPlace> learnt;
    private final long size;
    private final long bytes;
    private final long tokens;
    private final long positions;
    private final double teacherLoss;
    private final long seed;

    public TrainingData(CorpusLabels labels, Responses responses, long seed) {
        this.labels = labels;
        this.seed = seed;
        this.snapshot = labels.entries().persist(StorageLevel.MEMORY_AND_DISK_SER());
        JavaPairRDD<String, Boolean> wanted = snapshot.mapToPair(e -> new Tuple2<>(e.key(), true)).reduceByKey((a, b) -> a);
        JavaPairRDD<String, RowFacts> facts = labels.facts().persist(StorageLevel.MEMORY_AND_DISK_SER());
        try {
            long distinct = wanted.count();
            long held = wanted.join(facts).count();
            if (held < distinct) {
                throw JobErrors.missingLabels(labels.name(), distinct - held, distinct);
            }
            this.places = ResponseMasks.of(snapshot, labels::tokens, responses, labels.tokenizer()).persist(StorageLevel.MEMORY_AND_DISK_SER());
            this.learnt = places.filter(LearntPlace::isLearntFrom);
            this.size = learnt.count();
            if (!responses.isEverything()) {
                requireMarks(responses);
            }
            Weighed sum = learnt.mapToPair(place -> new Tuple2<>(place.place().key(), place)).join(facts).values().map(Weighed::of)
                    .fold(new Weighed(0, 0, 0), Weighed::plus);
            if (sum.counted() == 0) {
                throw CorpusErrors.nothingToLearn(responses.isSearched());
            }
            this.tokens = sum.all();
            this.positions = sum.counted();
            this.teacherLoss = sum.loss() / sum.all();
            this.bytes = (long) ((double) labels.bytes() / facts.count() * size);
        } finally {
            Cluster.release(facts);
        }
    }

    private void requireMarks(Responses responses) {
        JavaRDD<LearntPlace> documents = places.filter(LearntPlace::begins);
        long all = documents.count();
        responses.require(all, documents.filter(document -> !document.isMarked()).count());
        long open = documents.filter(LearntPlace::isOpen).count();
        if (open > 0) {
            LOG.warn("in {} of {} documents, train.response-end does not follow the last response, which therefore extends to the end",
                    open, all);
        }
    }

    private record Weighed(long counted, long all, double loss) implements Serializable {
        static Weighed of(Tuple2<LearntPlace, RowFacts> learnt) {
            int all = learnt._2().positions();
            boolean[] counted = learnt._1().counted();
            return new Weighed(counted == null ? all : LearntSequence.count(counted), all, (double) all * learnt._2().teacherLoss());
        }

        Weighed plus(Weighed other) {
            return new Weighed(counted + other.counted, all + other.all, loss + other.loss);
        }
    }

    /** Returns the number of sequences per epoch. */
    public long size() {
        return size;
    }

    /** Returns about how many bytes an epoch's sequences take in files. */
    long bytes() {
        return bytes;
    }

    /** Returns the number of positions per epoch, masked ones included. */
    long tokens() {
        return tokens;
    }

    /** Returns the number of unmasked positions per epoch. */
    public long positions() {
        return positions;
    }

    /** Returns the teacher's mean cross-entropy over all positions of the training sequences, masked ones included, in nats. */
    public double teacherLoss() {
        return teacherLoss;
    }

    /**
     * Returns the epoch's sequences keyed by their index in its order; some may come twice. The order depends only on the seed, the
     * epoch and the sequences' content, not on the corpus's location. Duplicates may swap places.
     */
    JavaPairRDD<Long, LearntSequence> ordered(int epoch) {
        long draw = seed;
        JavaPairRDD<String, Tuple2<Long, boolean[]>> order = learnt
                .sortBy(e -> shuffleKey(draw, epoch, e), true, learnt.getNumPartitions())
                .zipWithIndex().mapToPair(e -> new Tuple2<>(e._1().place().key(), new Tuple2<>(e._2(), e._1().counted())));
        return labels.rows().mapToPair(row -> new Tuple2<>(row.key(), row)).join(order)
                .mapToPair(e -> new Tuple2<>(e._2()._2()._1(), new LearntSequence(e._2()._1(), e._2()._2()._2())));
    }

    private static String shuffleKey(long seed, int epoch, LearntPlace learnt) {
        SnapshotEntry place = learnt.place();
        return Sha256.of(seed + "\n" + epoch + "\n" + place.key() + "\n" + place.sequence()
                + (learnt.counted() == null ? "" : "\n" + Arrays.toString(learnt.counted())));
    }

    @Override
    public void close() {
        Cluster.release(places);
        Cluster.release(snapshot);
    }
}
