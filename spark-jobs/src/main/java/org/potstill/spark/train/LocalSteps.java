package org.potstill.spark.train;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import org.apache.spark.TaskContext;
import org.potstill.errors.UserException;
import org.potstill.spark.JobErrors;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.student.StepLoss;
import org.potstill.student.Student;
import scala.Tuple2;

/**
 * A worker's part of a round.
 *
 * @param firstStep of the round, counted over all epochs
 */
record LocalSteps(WorkerSetup setup, TrainingPlan plan, int firstStep) implements Serializable {
    /**
     * @param begin all slices of the state that every worker begins with
     * @param block the worker's sequences of this round by their place in the epoch
     * @return its slices by number
     */
    Iterator<Tuple2<Integer, WorkerSlice>> train(Iterator<StateSlice> begin, Iterator<Tuple2<Long, LabelledSequence>> block) {
        TreeMap<Long, TreeMap<Long, LabelledSequence>> batches = new TreeMap<>();
        block.forEachRemaining(s -> batches.computeIfAbsent(s._1() / plan.batchSize(), b -> new TreeMap<>()).put(s._1(), s._2()));
        if (batches.isEmpty()) {
            return List.<Tuple2<Integer, WorkerSlice>>of().iterator();
        }
        int worker = TaskContext.getPartitionId() % plan.workers();
        List<StepLoss> losses = new ArrayList<>();
        try (StudentPool.Lease lease = StudentPool.lease(setup)) {
            Student student = lease.student();
            List<StateSlice> slices = begin(student, begin);
            for (Map<Long, LabelledSequence> batch : batches.values()) {
                losses.add(step(student, List.copyOf(batch.values()), worker, firstStep + losses.size()));
            }
            return end(student, slices, worker, losses).iterator();
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

    private static List<StateSlice> begin(Student student, Iterator<StateSlice> begin) {
        List<StateSlice> slices = new ArrayList<>();
        int parameters = 0;
        int moments = 0;
        while (begin.hasNext()) {
            StateSlice slice = begin.next();
            parameters = write(slice.parameters(), parameters, student::writeParameters);
            moments = write(slice.updaterState(), moments, student::writeUpdaterState);
            slices.add(slice);
        }
        return slices;
    }

    private List<Tuple2<Integer, WorkerSlice>> end(Student student, List<StateSlice> begin, int worker, List<StepLoss> losses) {
        long positions = losses.stream().mapToLong(StepLoss::positions).sum();
        Payload payload = setup.payload();
        List<Tuple2<Integer, WorkerSlice>> slices = new ArrayList<>();
        int parameters = 0;
        int moments = 0;
        for (StateSlice slice : begin) {
            slices.add(new Tuple2<>(slices.size(), new WorkerSlice(worker, positions,
                    pack(slice.parameters(), parameters, student::readParameters, payload::packParameters),
                    pack(slice.updaterState(), moments, student::readUpdaterState, (after, before) -> payload.packMoments(after)),
                    slices.isEmpty() ? losses : List.of())));
            parameters += slice.parameters().length();
            moments += slice.updaterState().length();
        }
        return slices;
    }

    /** @return where the next slice begins */
    private static int write(FloatChunks slice, int at, BiConsumer<Integer, float[]> student) {
        for (int c = 0; c < slice.count(); c++) {
            student.accept(at, slice.chunk(c));
            at += slice.chunk(c).length;
        }
        return at;
    }

    private static byte[][] pack(FloatChunks before, int at, BiConsumer<Integer, float[]> student, BiFunction<float[], float[], byte[]> payload) {
        byte[][] packed = new byte[before.count()][];
        for (int c = 0; c < packed.length; c++) {
            float[] after = new float[before.chunk(c).length];
            student.accept(at + c * FloatChunks.CHUNK, after);
            packed[c] = payload.apply(after, before.chunk(c));
        }
        return packed;
    }
}
