package org.potstill.spark.train;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.TreeMap;
import org.apache.spark.HashPartitioner;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.rdd.PartitionPruningRDD;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.student.StepLoss;
import org.potstill.student.Student;
import org.potstill.student.TrainingSequence;
import scala.Tuple2;
import scala.runtime.AbstractFunction1;

/**
 * One round of parameter averaging (local SGD; McMahan et al., arXiv 1602.05629): every worker begins at the average,
 * takes its local steps on its own batches, and the results are averaged by tokens. The averaging is a reduce-scatter
 * through Spark's shuffle: each of W tasks averages one W-th of the arrays, so that the driver receives the average
 * once and not every worker's.
 */
final class AveragingRound {
    private final JavaSparkContext sc;
    private final WorkerSetup setup;
    private final TrainingPlan plan;

    AveragingRound(JavaSparkContext sc, WorkerSetup setup, TrainingPlan plan) {
        this.sc = sc;
        this.setup = setup;
        this.plan = plan;
    }

    /**
     * What a round came to.
     *
     * @param state  the average
     * @param losses of each step, the mean over the workers' positions
     */
    record Outcome(ModelState state, List<StepLoss> losses) {
    }

    /** @param epochBlocks the epoch's sequences, partitioned by {@link TrainingPlan#partitioner} */
    Outcome run(ModelState begin, JavaPairRDD<Long, LabelledSequence> epochBlocks, int epoch, int round) {
        Broadcast<ModelState> state = sc.broadcast(begin);
        try {
            WorkerTask task = new WorkerTask(setup, plan, state, plan.firstStep(epoch, round));
            List<Tuple2<Integer, Tuple2<ModelState, List<StepLoss>[]>>> averaged = blocksOf(epochBlocks, round)
                    .mapPartitionsToPair(task::train)
                    .groupByKey(new HashPartitioner(plan.workers()))
                    .mapValues(AveragingRound::averageSlice)
                    .collect();
            return assemble(begin, averaged);
        } finally {
            state.destroy();
        }
    }

    private JavaPairRDD<Long, LabelledSequence> blocksOf(JavaPairRDD<Long, LabelledSequence> epochBlocks, int round) {
        return JavaPairRDD.fromRDD(
                PartitionPruningRDD.create(epochBlocks.rdd(), new OfRound(round, plan.workers())),
                scala.reflect.ClassTag$.MODULE$.apply(Long.class),
                scala.reflect.ClassTag$.MODULE$.apply(LabelledSequence.class));
    }

    @SuppressWarnings("unchecked")
    private static Tuple2<ModelState, List<StepLoss>[]> averageSlice(Iterable<WorkerSlice> slices) {
        List<WorkerSlice> all = new ArrayList<>();
        slices.forEach(all::add);
        all.sort((a, b) -> Integer.compare(a.worker(), b.worker()));
        return new Tuple2<>(WorkerSlice.average(all), all.stream().map(WorkerSlice::losses).toArray(List[]::new));
    }

    private Outcome assemble(ModelState like, List<Tuple2<Integer, Tuple2<ModelState, List<StepLoss>[]>>> slices) {
        ModelState whole = new ModelState(new float[like.parameters().length], new float[like.updaterState().length]);
        TreeMap<Integer, List<StepLoss>> byStep = new TreeMap<>();
        for (Tuple2<Integer, Tuple2<ModelState, List<StepLoss>[]>> slice : slices) {
            ModelState part = slice._2()._1();
            place(part.parameters(), whole.parameters(), slice._1());
            place(part.updaterState(), whole.updaterState(), slice._1());
            for (List<StepLoss> ofWorker : slice._2()._2()) {
                for (int i = 0; i < ofWorker.size(); i++) {
                    byStep.computeIfAbsent(i, key -> new ArrayList<>()).add(ofWorker.get(i));
                }
            }
        }
        return new Outcome(whole, byStep.values().stream().map(Losses::mean).toList());
    }

    private void place(float[] part, float[] whole, int slice) {
        System.arraycopy(part, 0, whole, WorkerSlice.begin(whole.length, slice, plan.workers()), part.length);
    }

    /** The partitions of one round. */
    private static final class OfRound extends AbstractFunction1<Object, Object> implements Serializable {
        private static final long serialVersionUID = 1L;
        private final int round;
        private final int workers;

        OfRound(int round, int workers) {
            this.round = round;
            this.workers = workers;
        }

        @Override
        public Object apply(Object partition) {
            return (Integer) partition / workers == round;
        }
    }

    /** A worker's part of a round. */
    private record WorkerTask(WorkerSetup setup, TrainingPlan plan, Broadcast<ModelState> begin, int firstStep)
            implements Serializable {
        Iterator<Tuple2<Integer, WorkerSlice>> train(Iterator<Tuple2<Long, LabelledSequence>> block) {
            TreeMap<Long, LabelledSequence> ordered = new TreeMap<>();
            block.forEachRemaining(s -> ordered.put(s._1(), s._2()));
            if (ordered.isEmpty()) {
                return List.<Tuple2<Integer, WorkerSlice>>of().iterator();
            }
            int worker = TaskContext.getPartitionId() % plan.workers();
            Labels labels = setup.labels();
            List<StepLoss> losses = new ArrayList<>();
            try (StudentPool.Lease lease = StudentPool.lease(setup)) {
                Student student = lease.student();
                student.setParameters(begin.value().parameters());
                student.setUpdaterState(begin.value().updaterState());
                TreeMap<Long, List<TrainingSequence>> batches = new TreeMap<>();
                ordered.forEach((index, row) -> batches.computeIfAbsent(index / plan.batchSize(), b -> new ArrayList<>())
                        .add(new TrainingSequence(row.tokens(), labels.decode(row, setup.cache()))));
                int step = firstStep;
                for (List<TrainingSequence> batch : batches.values()) {
                    losses.add(student.step(batch, step++));
                }
                long positions = losses.stream().mapToLong(StepLoss::positions).sum();
                float[] parameters = student.parameters();
                float[] updaterState = student.updaterState();
                List<Tuple2<Integer, WorkerSlice>> slices = new ArrayList<>();
                for (int i = 0; i < plan.workers(); i++) {
                    slices.add(new Tuple2<>(i, WorkerSlice.of(worker, positions, parameters, updaterState, losses, i, plan.workers())));
                }
                return slices.iterator();
            }
        }
    }
}
