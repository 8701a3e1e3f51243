package org.potstill.spark.train;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.storage.StorageLevel;
import org.potstill.spark.Cluster;
import org.potstill.spark.JobErrors;

/**
 * A {@link ModelState} as it lies on the executors between two rounds: one slice a partition, each on two executors, so
 * that the loss of one costs nothing. Should both be lost, Spark's lineage leads back to the driver's last copy, over
 * {@value #MAX_LINEAGE} rounds at most.
 */
final class DistributedState {
    static final int MAX_LINEAGE = 32;

    private final JavaSparkContext sc;
    private final Slicing slicing;
    private final List<Broadcast<StateSlice>> begin;
    private final JavaRDD<StateSlice> slices;
    private final int lineage;

    private DistributedState(JavaSparkContext sc, Slicing slicing, List<Broadcast<StateSlice>> begin, JavaRDD<StateSlice> slices, int lineage) {
        this.sc = sc;
        this.slicing = slicing;
        this.begin = begin;
        this.slices = slices.persist(storageLevel(sc));
        this.lineage = lineage;
    }

    /** Of what the driver holds. */
    static DistributedState of(JavaSparkContext sc, ModelState whole, int workers) {
        requireRoom(whole.bytes(), sc.getConf());
        return of(sc, whole, Slicing.of(whole, workers));
    }

    private static DistributedState of(JavaSparkContext sc, ModelState whole, Slicing slicing) {
        // Slice by slice: an executor fetches what it keeps, and no more.
        List<Broadcast<StateSlice>> begin = new ArrayList<>();
        for (int i = 0; i < slicing.count(); i++) {
            begin.add(sc.broadcast(whole.slice(slicing, i)));
        }
        List<Integer> indices = IntStream.range(0, slicing.count()).boxed().toList();
        DistributedState state = new DistributedState(sc, slicing, begin,
                sc.parallelize(indices, indices.size()).map(i -> begin.get(i).value()), 0);
        // Now, once each: the first round's workers would all do it, side by side.
        state.slices.count();
        return state;
    }

    /** Spark counts what a job's tasks return together. */
    static void requireRoom(long stateBytes, SparkConf conf) {
        long limit = conf.getSizeAsBytes("spark.driver.maxResultSize", "1g");
        if (limit > 0 && stateBytes > 0.9 * limit) {
            throw JobErrors.stateTooLarge(stateBytes, limit);
        }
    }

    /** How what a round needs twice is kept: on two executors where there are two. */
    static StorageLevel storageLevel(JavaSparkContext sc) {
        return Cluster.executors(sc) > 1 ? StorageLevel.MEMORY_AND_DISK_2() : StorageLevel.MEMORY_AND_DISK();
    }

    Slicing slicing() {
        return slicing;
    }

    JavaRDD<StateSlice> slices() {
        return slices;
    }

    /** One round further on. */
    DistributedState next(JavaRDD<StateSlice> averaged) {
        return new DistributedState(sc, slicing, begin, averaged, lineage + 1);
    }

    /** The same; where the way back to the driver's copy has become long, with a new copy there, and this one destroyed. */
    DistributedState withShortLineage() {
        if (lineage < MAX_LINEAGE) {
            return this;
        }
        ModelState whole = collect();
        destroy();
        return of(sc, whole, slicing);
    }

    /** What it is, on the driver. */
    ModelState collect() {
        return ModelState.join(slices.collect());
    }

    /** Gives back the executors' memory, but for what lineage leads back to. */
    void release() {
        slices.unpersist(false);
    }

    /** Gives back all memory; no state of the same lineage is of use afterwards. */
    void destroy() {
        release();
        begin.forEach(Broadcast::destroy);
    }
}
