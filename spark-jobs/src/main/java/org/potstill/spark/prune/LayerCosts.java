// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.LongAccumulator;
import org.potstill.checkpoints.pruning.Cuts;
import org.potstill.spark.Cluster;
import org.potstill.spark.Progress;
import org.potstill.teacher.pruning.WidthImportance;

/**
 * Measurement of the cost of removing parts of a model, on the executors. Work is split by batch and, if there are more executors
 * than batches, by ranges of adjacent candidates, which share all computation before the first of them. Sums are added in the order
 * of batches, so the result is the same on any cluster.
 */
final class LayerCosts implements AutoCloseable {
    private final JavaSparkContext sc;
    private final ExecutorLayers model;
    private final PruningText text;
    private final LongAccumulator done;
    private Progress progress;

    LayerCosts(JavaSparkContext sc, ExecutorLayers model, PruningText text) {
        this.sc = sc;
        this.model = model;
        this.text = text;
        this.done = sc.sc().longAccumulator("measured tokens");
    }

    /** A task's work on a batch: candidates at indices {@code from} to {@code to} of the kept layers. */
    private record Part(int batch, int[] kept, int from, int to) implements Serializable {
    }

    /** Shows progress from here on: the rounds that are left until so many layers are. */
    void expect(int layers, int keep, int removed, int spaced) {
        long passes = Math.max(0, layers - keep - spaced);
        for (int left = layers - removed; left > keep; left--) {
            passes += left;
        }
        if (passes > 0) {
            progress = Progress.of("prune", passes * text.positions(), sc.sc(), done);
        }
    }

    WidthImportance importance() {
        ExecutorLayers at = model;
        return batches(batch -> at.importance(batch)).reduce(WidthImportance::plus).orElseThrow();
    }

    /** Measures KL, in nats per token, without each of these layers in turn. */
    double[] without(int[] kept) {
        int batches = text.batches().size();
        int executors = Cluster.executors(sc);
        int runs = Math.min(kept.length, (executors + batches - 1) / batches);
        List<Part> parts = new ArrayList<>();
        for (int batch = 0; batch < batches; batch++) {
            for (int run = 0; run < runs; run++) {
                parts.add(new Part(batch, kept, kept.length * run / runs, kept.length * (run + 1) / runs));
            }
        }
        ExecutorLayers at = model;
        long[] positions = text.batches().stream().mapToLong(b -> b.stream().mapToLong(s -> s.length - 1L).sum()).toArray();
        LongAccumulator counter = done;
        List<double[]> measured = sc.parallelize(parts, Math.min(parts.size(), Math.max(executors, 1))).map(part -> {
            long each = positions[part.batch()];
            return at.costs(part.batch(), part.kept(), part.from(), part.to(), () -> counter.add(each));
        }).collect();
        double[] sums = new double[kept.length];
        for (int i = 0; i < parts.size(); i++) {
            for (int j = 0; j < measured.get(i).length; j++) {
                sums[parts.get(i).from() + j] += measured.get(i)[j] / text.positions();
            }
        }
        return sums;
    }

    /** Measures KL, in nats per token, of these layers alone. */
    double cost(int[] kept) {
        ExecutorLayers at = model;
        LongAccumulator counter = done;
        long all = text.positions();
        int count = text.batches().size();
        return batches(batch -> {
            double cost = at.cost(batch, kept);
            counter.add(all / count);
            return cost;
        }).mapToDouble(Double::doubleValue).sum() / all;
    }

    /** Measures KL, in nats per token, of the model after cuts. */
    double cost(Cuts cuts) {
        ExecutorLayers at = model;
        return batches(batch -> at.cost(batch, cuts)).mapToDouble(Double::doubleValue).sum() / text.positions();
    }

    private interface Measure<T> extends Serializable {
        T of(int batch);
    }

    private <T> Stream<T> batches(Measure<T> measure) {
        List<Integer> all = IntStream.range(0, text.batches().size()).boxed().toList();
        return sc.parallelize(all, Math.max(1, Math.min(all.size(), Cluster.executors(sc)))).map(measure::of).collect().stream();
    }

    /** Frees the memory of all reachable executors. */
    @Override
    public void close() {
        if (progress != null) {
            progress.close();
        }
        int slots = Cluster.taskSlots(sc);
        sc.parallelize(Collections.nCopies(slots, 0), slots).foreach(any -> ExecutorLayers.release());
    }
}
