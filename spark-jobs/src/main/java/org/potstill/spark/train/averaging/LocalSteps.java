// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.potstill.errors.UserException;
import org.potstill.spark.Cluster;
import org.potstill.spark.ExecutorCounters;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.hardware.DevicePeak;
import org.potstill.spark.train.data.EpochFiles;
import org.potstill.spark.train.data.LearntSequence;
import org.potstill.spark.train.data.RoundBatches;
import org.potstill.spark.train.exchange.Exchange;
import org.potstill.spark.train.exchange.ExecutorState;
import org.potstill.spark.train.exchange.OwnState;
import org.potstill.spark.train.exchange.Peer;
import org.potstill.spark.train.exchange.PeersLostException;
import org.potstill.spark.train.exchange.Reached;
import org.potstill.spark.train.exchange.StateSource;
import org.potstill.spark.train.exchange.StudentPool;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.ErrorFeedback;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.onnx.OnnxTrainer;
import org.potstill.student.options.TrainingEngine;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The local steps of a round, as each worker takes them.
 *
 * @param sequences of the epoch
 * @param begin     source of the round's initial state
 * @param coming    source of the state after it, which is averaged while the workers step; null unless rounds overlap
 * @param whole     whether moments are averaged, too
 * @param round     number of the round in the epoch
 * @param firstStep number of the round's first step, counted over all epochs
 */
record LocalSteps(WorkerSetup setup, EpochFiles sequences, StateLayout layout, StateSource begin, StateSource coming, boolean whole, int round, int firstStep)
        implements Serializable {
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
     * @param place  the executor, as Spark's scheduler names it; null if the worker took no steps
     * @param use    what it used; null if the worker has no sequences in this round
     */
    record Result(Peer at, StateSource.Contribution made, List<StepLoss> losses, double gradientNorm, PeersLostException missed, String simd, String place,
            WorkerUse use)
            implements Serializable {
        static Result none() {
            return new Result(null, null, List.of(), 0, null, null, null, null);
        }

        static Result missed(PeersLostException e, WorkerUse use) {
            return new Result(Exchange.get().address(), null, List.of(), 0, e, null, null, use);
        }
    }

    /**
     * Trains a worker on its sequences of the round.
     *
     * @param worker the worker's number
     */
    Result train(int worker) {
        try (RoundBatches batches = sequences.open(round, worker)) {
            return batches.steps() == 0 ? Result.none() : trained(worker, batches);
        } catch (RuntimeException | OutOfMemoryError e) {
            // On an OutOfMemoryError Spark would end the process without an explanation.
            if (Failures.within(e).isEmpty() && Failures.isOutOfMemory(e)) {
                throw PlatformErrors.notEnoughMemory("worker " + worker + "'s training", e);
            }
            throw e;
        }
    }

    private Result trained(int worker, RoundBatches batches) {
        ExecutorState executor = ExecutorState.of(begin.run(), setup, layout);
        Begun begun;
        DevicePeak peak = WorkerUse.peak(setup);
        long asked = System.nanoTime();
        try {
            begun = begin(executor, worker);
        } catch (PeersLostException e) {
            return Result.missed(e, WorkerUse.of(setup, begin.run(), worker, peak, 0, seconds(asked)));
        } finally {
            ExecutorCounters.exchanged(System.nanoTime() - asked);
        }
        double waited = seconds(asked);
        Student student = begun.own().student();
        boolean kept = false;
        try {
            begun.at().load(student);
            LOG.info("worker {} trains steps {} to {}", worker, firstStep + 1, firstStep + batches.steps());
            List<OnnxTrainer.Step> steps = setup.engine() == TrainingEngine.ONNX
                    ? stepsAtOnce(executor.students().trainer(Cluster.gpuOfTask().orElse(0)), student, batches, worker)
                    : steps(student, batches, worker);
            List<StepLoss> losses = steps.stream().map(OnnxTrainer.Step::loss).toList();
            double gradientNorms = steps.stream().mapToDouble(OnnxTrainer.Step::gradientNorm).sum();
            double flops = WorkerUse.flops(setup.meter(), batches.lengths());
            asked = System.nanoTime();
            List<byte[]> next = begun.next();
            ExecutorCounters.exchanged(System.nanoTime() - asked);
            waited += seconds(asked);
            keep(executor.students(), worker, begun, next);
            kept = true;
            Peer me = Exchange.get().address();
            return new Result(me, new StateSource.Contribution(worker, Losses.positions(losses), me), losses,
                    gradientNorms / losses.size(), null, StudentPool.simd(setup.engine()), Exchange.place(),
                    WorkerUse.of(setup, begin.run(), worker, peak, flops, waited));
        } catch (PeersLostException e) {
            return Result.missed(e, WorkerUse.of(setup, begin.run(), worker, peak, 0, waited + seconds(asked)));
        } finally {
            if (!kept) {
                executor.students().giveBack(student);
            }
        }
    }

    /**
     * A round that a worker has begun.
     *
     * @param at     where it begins
     * @param own    what it begins with beside; its difference is of no further use
     * @param coming the state after the initial one, on its way; null unless rounds overlap
     */
    private record Begun(StartingPoint at, OwnState own, Future<List<byte[]>> coming) {
        /** Waits for the state after the initial one; null unless rounds overlap. */
        List<byte[]> next() throws PeersLostException {
            if (coming == null) {
                return null;
            }
            try {
                return coming.get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted", e);
            } catch (ExecutionException e) {
                if (e.getCause() instanceof PeersLostException lost) {
                    throw lost;
                }
                throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
            }
        }
    }

    private Begun begin(ExecutorState executor, int worker) throws PeersLostException {
        List<byte[]> average = executor.begin(begin, worker);
        if (coming != null) {
            Future<List<byte[]>> next = executor.prefetch(coming, worker);
            OwnState own = executor.resume(begin.version(), coming, worker);
            return new Begun(new StartingPoint(layout, setup.payload(), average, own.difference()), own, next);
        }
        StartingPoint at = new StartingPoint(layout, setup.payload(), average, List.of());
        if (!begin.whole()) {
            return new Begun(at, executor.resume(begin.version(), begin, worker), null);
        }
        Student student = executor.students().borrow(begin.version());
        at.loadMoments(student);
        return new Begun(at, new OwnState(student, nothingOwed(), List.of()), null);
    }

    private List<ErrorFeedback> nothingOwed() {
        return setup.averaging() == Averaging.EVERYTHING ? List.of()
                : IntStream.range(0, layout.slices()).mapToObj(i -> new ErrorFeedback(setup.payload(), layout.slice(i).parameters())).toList();
    }

    /** @param next the state that the results are added to, if it is not the initial one; else null */
    private void keep(StudentPool students, int worker, Begun begun, List<byte[]> next) {
        long version = next == null ? begin.version() : coming.version();
        Student student = begun.own().student();
        List<ErrorFeedback> owed = begun.own().owed();
        if (!whole) {
            List<ByteBuffer> differences = differences(begun.at(), student, owed);
            students.keep(version, worker, new Reached(null, differences, List.of()), new OwnState(student, owed, differences));
            return;
        }
        StartingPoint at = begun.at();
        if (next != null) {
            at = new StartingPoint(layout, setup.payload(), next, List.of());
            begun.at().move(student, at);
        }
        for (int i = 0; i < owed.size(); i++) {
            owed.get(i).addTo(student, layout.slice(i).firstParameter());
        }
        students.keep(version, worker, reached(at, student));
    }

    private static double seconds(long since) {
        return (System.nanoTime() - since) / 1e9;
    }

    private List<OnnxTrainer.Step> steps(Student student, RoundBatches batches, int worker) {
        List<OnnxTrainer.Step> steps = new ArrayList<>();
        while (batches.hasNext()) {
            List<LearntSequence> batch = batches.next();
            int number = firstStep + steps.size();
            steps.add(named(batch, number, worker, () -> {
                StepLoss loss = student.step(decoded(batch), number);
                requireBounded(loss, number);
                return new OnnxTrainer.Step(loss, student.gradientNorm());
            }));
        }
        return steps;
    }

    private List<OnnxTrainer.Step> stepsAtOnce(OnnxTrainer trainer, Student student, RoundBatches batches, int worker) {
        List<List<LearntSequence>> all = new ArrayList<>();
        batches.forEachRemaining(all::add);
        List<OnnxTrainer.Step> steps = trainer.train(student, all.size(),
                i -> named(all.get(i), firstStep + i, worker, () -> trainer.pack(decoded(all.get(i)))), firstStep);
        for (int i = 0; i < steps.size(); i++) {
            int number = firstStep + i;
            OnnxTrainer.Step step = steps.get(i);
            named(all.get(i), number, worker, () -> {
                step.requireFinite(number);
                requireBounded(step.loss(), number);
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
    private static <T> T named(List<LearntSequence> batch, int step, int worker, Supplier<T> work) {
        try {
            return work.get();
        } catch (UserException e) {
            throw JobErrors.stepFailed(step, worker, batch.stream().map(sequence -> sequence.row().key()).toList(), e);
        }
    }

    /** Packs how far the worker has come; its moments, and what rounding leaves, stay with it. */
    private List<ByteBuffer> differences(StartingPoint at, Student student, List<ErrorFeedback> owed) {
        List<ByteBuffer> differences = new ArrayList<>();
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            differences.add(owed.get(i).pack(at.parameters(i), student.parameters(slice.firstParameter(), slice.parameters())));
        }
        return differences;
    }

    /** Packs parameters and moments. */
    private Reached reached(StartingPoint at, Student student) {
        Payload payload = setup.wholePayload();
        List<ByteBuffer> parameters = new ArrayList<>();
        List<ByteBuffer> moments = new ArrayList<>();
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            parameters.add(payload.packParameters(student.parameters(slice.firstParameter(), slice.parameters()), at.parameters(i).asFloatBuffer()));
            moments.add(payload.packMoments(student.updaterState(slice.firstMoment(), slice.moments())));
        }
        return new Reached(student, parameters, moments);
    }
}
