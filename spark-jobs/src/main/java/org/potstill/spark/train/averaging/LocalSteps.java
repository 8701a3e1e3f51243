// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.potstill.errors.UserException;
import org.potstill.spark.Cluster;
import org.potstill.spark.ExecutorCounters;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.train.data.LearntSequence;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.exchange.Exchange;
import org.potstill.spark.train.exchange.ExecutorState;
import org.potstill.spark.train.exchange.Peer;
import org.potstill.spark.train.exchange.PeersLostException;
import org.potstill.spark.train.exchange.Reached;
import org.potstill.spark.train.exchange.StateSource;
import org.potstill.spark.train.exchange.StudentPool;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.onnx.OnnxTrainer;
import org.potstill.student.options.TrainingEngine;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/**
 * The local steps of a round, as each worker takes them.
 *
 * @param begin     source of the round's initial state
 * @param firstStep number of the round's first step, counted over all epochs
 */
record LocalSteps(WorkerSetup setup, TrainingPlan plan, StateLayout layout, StateSource begin, int firstStep) implements Serializable {
    private static final Logger LOG = LoggerFactory.getLogger(LocalSteps.class);

    /**
     * Result of a worker's round.
     *
     * @param at     the executor that ran the worker; null if the worker has no sequences in this round
     * @param made   the worker's contribution; null if it has no sequences in this round or could not begin
     * @param losses loss of each step
     * @param gradientNorm mean over the steps, before clipping; 0 if there are none
     * @param missed why the worker could not obtain the initial state; null if it could
     * @param simd   the executor's {@link StudentPool#simd}; null if the worker took no steps
     */
    record Result(Peer at, StateSource.Contribution made, List<StepLoss> losses, double gradientNorm, PeersLostException missed, String simd)
            implements Serializable {
    }

    /**
     * Trains a worker on its sequences of the round.
     *
     * @param worker the worker's number
     * @param block  its sequences, keyed by their index in the epoch's order
     */
    Result train(int worker, Iterator<Tuple2<Long, LearntSequence>> block) {
        try {
            return trained(worker, block);
        } catch (RuntimeException | OutOfMemoryError e) {
            // On an OutOfMemoryError Spark would end the process without an explanation.
            if (Failures.within(e).isEmpty() && Failures.isOutOfMemory(e)) {
                throw PlatformErrors.notEnoughMemory("worker " + worker + "'s training", e);
            }
            throw e;
        }
    }

    private Result trained(int worker, Iterator<Tuple2<Long, LearntSequence>> block) {
        TreeMap<Long, TreeMap<Long, LearntSequence>> batches = new TreeMap<>();
        block.forEachRemaining(s -> batches.computeIfAbsent(s._1() / plan.batchSize(), b -> new TreeMap<>()).put(s._1(), s._2()));
        if (batches.isEmpty()) {
            return new Result(null, null, List.of(), 0, null, null);
        }
        ExecutorState executor = ExecutorState.of(begin.run(), setup, layout);
        List<byte[]> slices;
        long asked = System.nanoTime();
        try {
            slices = executor.begin(begin, worker);
        } catch (PeersLostException e) {
            return new Result(Exchange.get().address(), null, List.of(), 0, e, null);
        } finally {
            ExecutorCounters.exchanged(System.nanoTime() - asked);
        }
        Student student = executor.students().borrow(begin.version());
        boolean kept = false;
        try {
            load(slices, student);
            LOG.info("worker {} trains steps {} to {}", worker, firstStep + 1, firstStep + batches.size());
            List<List<LearntSequence>> ofSteps = batches.values().stream().map(batch -> List.copyOf(batch.values())).toList();
            List<OnnxTrainer.Step> steps = setup.engine() == TrainingEngine.ONNX
                    ? stepsAtOnce(executor.students().trainer(Cluster.gpuOfTask().orElse(0)), student, ofSteps, worker)
                    : steps(student, ofSteps, worker);
            List<StepLoss> losses = steps.stream().map(OnnxTrainer.Step::loss).toList();
            double gradientNorms = steps.stream().mapToDouble(OnnxTrainer.Step::gradientNorm).sum();
            executor.students().keep(begin.version(), worker, reached(slices, student));
            kept = true;
            Peer me = Exchange.get().address();
            return new Result(me, new StateSource.Contribution(worker, Losses.positions(losses), me), losses,
                    gradientNorms / losses.size(), null, StudentPool.simd(setup.engine()));
        } finally {
            if (!kept) {
                executor.students().giveBack(student);
            }
        }
    }

    private List<OnnxTrainer.Step> steps(Student student, List<List<LearntSequence>> batches, int worker) {
        List<OnnxTrainer.Step> steps = new ArrayList<>();
        for (int i = 0; i < batches.size(); i++) {
            int number = i;
            steps.add(named(batches, i, worker, () -> {
                StepLoss loss = student.step(decoded(batches.get(number)), firstStep + number);
                requireBounded(loss, firstStep + number);
                return new OnnxTrainer.Step(loss, student.gradientNorm());
            }));
        }
        return steps;
    }

    private List<OnnxTrainer.Step> stepsAtOnce(OnnxTrainer trainer, Student student, List<List<LearntSequence>> batches, int worker) {
        List<OnnxTrainer.Step> steps = trainer.train(student, batches.size(),
                i -> named(batches, i, worker, () -> trainer.pack(decoded(batches.get(i)))), firstStep);
        for (int i = 0; i < steps.size(); i++) {
            int number = i;
            named(batches, i, worker, () -> {
                steps.get(number).requireFinite(firstStep + number);
                requireBounded(steps.get(number).loss(), firstStep + number);
                return null;
            });
        }
        return steps;
    }

    private List<TrainingSequence> decoded(List<LearntSequence> batch) {
        return batch.stream().map(sequence -> sequence.with(Labels.decode(setup.labels(), sequence.row(), setup.cache()))).toList();
    }

    private void requireBounded(StepLoss loss, int step) {
        if (loss.total() > setup.maxLoss()) {
            throw JobErrors.lossExploded(step, loss.total(), setup.maxLoss());
        }
    }

    /** Does the work of a step; an error names the step and its sequences. */
    private <T> T named(List<List<LearntSequence>> batches, int index, int worker, Supplier<T> work) {
        try {
            return work.get();
        } catch (UserException e) {
            throw JobErrors.stepFailed(firstStep + index, worker, batches.get(index).stream().map(sequence -> sequence.row().key()).toList(), e);
        }
    }

    private void load(List<byte[]> slices, Student student) {
        for (int i = 0; i < slices.size(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            FloatBuffer values = StateLayout.littleEndian(slices.get(i)).asFloatBuffer();
            student.writeParameters(slice.firstParameter(), values.slice(0, slice.parameters()));
            student.writeUpdaterState(slice.firstMoment(), values.slice(slice.parameters(), slice.moments()));
        }
    }

    private Reached reached(List<byte[]> begin, Student student) {
        List<ByteBuffer> parameters = new ArrayList<>();
        List<ByteBuffer> moments = new ArrayList<>();
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            parameters.add(setup.payload().packParameters(student.parameters(slice.firstParameter(), slice.parameters()),
                    StateLayout.littleEndian(begin.get(i)).asFloatBuffer()));
            moments.add(setup.payload().packMoments(student.updaterState(slice.firstMoment(), slice.moments())));
        }
        return new Reached(student, parameters, moments);
    }
}
