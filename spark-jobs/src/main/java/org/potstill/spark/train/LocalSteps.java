package org.potstill.spark.train;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.spark.TaskContext;
import org.apache.spark.broadcast.Broadcast;
import org.potstill.errors.UserException;
import org.potstill.spark.JobErrors;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.student.StepLoss;
import org.potstill.student.Student;
import scala.Tuple2;

/**
 * A worker's part of a round.
 *
 * @param begin     where every worker begins
 * @param firstStep of the round, counted over all epochs
 */
record LocalSteps(WorkerSetup setup, TrainingPlan plan, Slicing slicing, Broadcast<ModelState> begin, int firstStep) implements Serializable {
    /** @param block the worker's sequences of this round by their place in the epoch; @return its slices by number */
    Iterator<Tuple2<Integer, WorkerSlice>> train(Iterator<Tuple2<Long, LabelledSequence>> block) {
        TreeMap<Long, TreeMap<Long, LabelledSequence>> batches = new TreeMap<>();
        block.forEachRemaining(s -> batches.computeIfAbsent(s._1() / plan.batchSize(), b -> new TreeMap<>()).put(s._1(), s._2()));
        if (batches.isEmpty()) {
            return List.<Tuple2<Integer, WorkerSlice>>of().iterator();
        }
        int worker = TaskContext.getPartitionId() % plan.workers();
        List<StepLoss> losses = new ArrayList<>();
        try (StudentPool.Lease lease = StudentPool.lease(setup)) {
            Student student = lease.student();
            student.setParameters(begin.value().parameters());
            student.setUpdaterState(begin.value().updaterState());
            for (Map<Long, LabelledSequence> batch : batches.values()) {
                losses.add(step(student, List.copyOf(batch.values()), worker, firstStep + losses.size()));
            }
            return slices(student, worker, losses);
        }
    }

    private StepLoss step(Student student, List<LabelledSequence> batch, int worker, int step) {
        try {
            StepLoss loss = student.step(batch.stream()
                    .map(row -> setup.responses().of(row, setup.labels().decode(row, setup.cache()))).toList(), step);
            if (loss.total() > setup.maxLoss()) {
                throw JobErrors.lossExploded(step, loss.total(), setup.maxLoss());
            }
            return loss;
        } catch (UserException e) {
            throw JobErrors.stepFailed(step, worker, batch.stream().map(LabelledSequence::key).toList(), e);
        }
    }

    private Iterator<Tuple2<Integer, WorkerSlice>> slices(Student student, int worker, List<StepLoss> losses) {
        long positions = losses.stream().mapToLong(StepLoss::positions).sum();
        Payload payload = setup.payload();
        float[] parameters = student.parameters();
        float[] updaterState = student.updaterState();
        // One by one, as they are written: packed all at once they would be a third copy of the student.
        return IntStream.range(0, slicing.count()).mapToObj(i -> new Tuple2<>(i, new WorkerSlice(worker, positions,
                payload.packParameters(parameters, begin.value().parameters(), slicing.begin(parameters.length, i),
                        slicing.begin(parameters.length, i + 1)),
                payload.packMoments(updaterState, slicing.begin(updaterState.length, i), slicing.begin(updaterState.length, i + 1)),
                i == 0 ? losses : List.of()))).iterator();
    }
}
