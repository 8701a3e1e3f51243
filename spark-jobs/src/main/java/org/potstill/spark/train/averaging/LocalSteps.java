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
 * @param last      every worker's last result, of which it takes over what it keeps
 * @param whole     whether moments are averaged, too
 * @param round     number of the round in the epoch
 */
record LocalSteps(WorkerSetup setup, EpochFiles sequences, StateLayout layout, StateSource begin, List<StateSource.Contribution> last, boolean whole, int epoch,
        int round) implements Serializable {
    private static final Logger LOG = LoggerFactory.getLogger(LocalSteps.class);

    /**
     * Result of a worker's round.
     *
     * @param at     the executor that ran the worker; null if the worker has no sequences in this round
     * @param made   the worker's contribution; null if it has no sequences in this round or could not begin
     * @param losses loss of each step
     * @param gradientNorm mean over the steps, before clipping; 0 if there are none
     * @param missed why the worker could not obtain the initial state; null if it could
     * @param failed error of a step, if another try would lack what this one took over from the last round; otherwise null
     * @param simd   the executor's {@link StudentPool#simd}; null if the worker took no steps
     * @param place  the executor, as Spark's scheduler names it; null if the worker took no steps
     * @param use    what it used; null if the worker has no sequences in this round
     */
    record Result(Peer at, StateSource.Contribution made, List<StepLoss> losses, double gradientNorm, PeersLostException missed, UserException failed,
            String simd, String place, WorkerUse use)
            implements Serializable {
        static Result none() {
            return new Result(null, null, List.of(), 0, null, null, null, null, null);
        }

        static Result missed(PeersLostException e, WorkerUse use) {
            return new Result(Exchange.get().address(), null, List.of(), 0, e, null, null, null, use);
        }

        static Result failed(UserException e, WorkerUse use) {
            return new Result(Exchange.get().address(), null, List.of(), 0, null, e, null, null, use);
        }
    }

    /** Returns the steps of another round of the epoch, from the same state. */
    LocalSteps in(int other) {
        return new LocalSteps(setup, sequences, layout, begin, last, whole, epoch, other);
    }

    /** Returns the number of the round's first step, counted over all epochs. */
    private int firstStep() {
        return sequences.plan().firstStep(epoch, round);
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
        DevicePeak peak = WorkerUse.peak(setup);
        Waiting waiting = new Waiting();
        OwnState own = null;
        boolean kept = false;
        try {
            boolean isAhead = setup.overlap() > 0 && !begin.whole();
            // The state travels while the worker takes its first steps, from where it is.
            Future<List<byte[]>> coming = isAhead ? executor.prefetch(begin, worker) : null;
            StartingPoint at = isAhead ? null : new StartingPoint(layout, waiting.during(() -> executor.begin(begin, worker)));
            own = waiting.during(() -> own(executor, worker));
            Student student = own.student();
            LOG.info("worker {} trains steps {} to {}", worker, firstStep() + 1, firstStep() + batches.steps());
            List<OnnxTrainer.Step> steps = new ArrayList<>();
            if (isAhead) {
                StartingPoint before = StartingPoint.of(student, layout);
                steps.addAll(steps(executor, student, batches, worker, 0, setup.overlap()));
                at = new StartingPoint(layout, waiting.during(() -> arrived(coming)));
                before.move(student, at);
            } else {
                at.load(student);
                if (begin.whole()) {
                    at.loadMoments(student);
                }
            }
            steps.addAll(steps(executor, student, batches, worker, steps.size(), Integer.MAX_VALUE));
            List<StepLoss> losses = steps.stream().map(OnnxTrainer.Step::loss).toList();
            double gradientNorms = steps.stream().mapToDouble(OnnxTrainer.Step::gradientNorm).sum();
            double flops = WorkerUse.flops(setup.meter(), batches.lengths());
            keep(executor.students(), worker, at, own);
            kept = true;
            Peer me = Exchange.get().address();
            return new Result(me, new StateSource.Contribution(worker, Losses.positions(losses), me, begin.version()), losses,
                    gradientNorms / losses.size(), null, null, StudentPool.simd(setup.engine()), Exchange.place(),
                    WorkerUse.of(setup, begin.run(), worker, peak, flops, waiting.seconds()));
        } catch (PeersLostException e) {
            return Result.missed(e, WorkerUse.of(setup, begin.run(), worker, peak, 0, waiting.seconds()));
        } catch (UserException e) {
            if (own == null || begin.whole()) {
                throw e;
            }
            return Result.failed(e, WorkerUse.of(setup, begin.run(), worker, peak, 0, waiting.seconds()));
        } finally {
            if (own != null && !kept) {
                executor.students().giveBack(own.student());
            }
        }
    }

    /** Time that a worker waits for others. */
    private static final class Waiting {
        private long nanos;

        interface Work<T> {
            T done() throws PeersLostException;
        }

        <T> T during(Work<T> work) throws PeersLostException {
            long begun = System.nanoTime();
            try {
                return work.done();
            } finally {
                long taken = System.nanoTime() - begun;
                nanos += taken;
                ExecutorCounters.exchanged(taken);
            }
        }

        double seconds() {
            return nanos / 1e9;
        }
    }

    private static List<byte[]> arrived(Future<List<byte[]>> coming) throws PeersLostException {
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

    private OwnState own(ExecutorState executor, int worker) throws PeersLostException {
        if (!begin.whole()) {
            return executor.resume(last, worker);
        }
        List<ErrorFeedback> owed = setup.averaging() == Averaging.EVERYTHING ? List.of()
                : IntStream.range(0, layout.slices()).mapToObj(i -> new ErrorFeedback(setup.payload(), layout.slice(i).parameters())).toList();
        return new OwnState(executor.students().borrow(), owed);
    }

    private void keep(StudentPool students, int worker, StartingPoint at, OwnState own) {
        if (whole) {
            for (int i = 0; i < own.owed().size(); i++) {
                own.owed().get(i).addTo(own.student(), layout.slice(i).firstParameter());
            }
            students.keep(begin.version(), worker, reached(at, own.student()));
        } else {
            Reached differences = differences(at, own);
            students.keep(begin.version(), worker, differences, own);
        }
    }

    /** Takes up to {@code count} steps, of which the first is the round's {@code first}. */
    private List<OnnxTrainer.Step> steps(ExecutorState executor, Student student, RoundBatches batches, int worker, int first, int count) {
        return setup.engine() == TrainingEngine.ONNX
                ? stepsAtOnce(executor.students().trainer(Cluster.gpuOfTask().orElse(0)), student, batches, worker, firstStep() + first, count)
                : steps(student, batches, worker, firstStep() + first, count);
    }

    private List<OnnxTrainer.Step> steps(Student student, RoundBatches batches, int worker, int first, int count) {
        List<OnnxTrainer.Step> steps = new ArrayList<>();
        while (batches.hasNext() && steps.size() < count) {
            List<LearntSequence> batch = batches.next();
            int number = first + steps.size();
            steps.add(named(batch, number, worker, () -> {
                StepLoss loss = student.step(decoded(batch), number);
                requireBounded(loss, number);
                return new OnnxTrainer.Step(loss, student.gradientNorm());
            }));
        }
        return steps;
    }

    private List<OnnxTrainer.Step> stepsAtOnce(OnnxTrainer trainer, Student student, RoundBatches batches, int worker, int first, int count) {
        List<List<LearntSequence>> all = new ArrayList<>();
        while (batches.hasNext() && all.size() < count) {
            all.add(batches.next());
        }
        if (all.isEmpty()) {
            return List.of();
        }
        List<OnnxTrainer.Step> steps = trainer.train(student, all.size(),
                i -> named(all.get(i), first + i, worker, () -> trainer.pack(decoded(all.get(i)))), first);
        for (int i = 0; i < steps.size(); i++) {
            int number = first + i;
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
    private Reached differences(StartingPoint at, OwnState own) {
        List<ByteBuffer> differences = new ArrayList<>();
        for (int i = 0; i < layout.slices(); i++) {
            StateLayout.Slice slice = layout.slice(i);
            differences.add(own.owed().get(i).pack(at.parameters(i), own.student().parameters(slice.firstParameter(), slice.parameters())));
        }
        return new Reached(null, differences, List.of());
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
