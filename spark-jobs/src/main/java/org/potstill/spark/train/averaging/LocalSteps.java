// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import org.potstill.errors.UserException;
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
import org.potstill.spark.train.exchange.Peer;
import org.potstill.spark.train.exchange.PeersLostException;
import org.potstill.spark.train.exchange.Reached;
import org.potstill.spark.train.exchange.StateSource;
import org.potstill.spark.train.exchange.StudentPool;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.loss.StepLoss;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The local steps of a round, as each worker takes them.
 *
 * @param sequences of the epoch
 * @param begin     source of the round's initial state
 * @param round     number of the round in the epoch
 * @param firstStep number of the round's first step, counted over all epochs
 */
record LocalSteps(WorkerSetup setup, EpochFiles sequences, StateLayout layout, StateSource begin, int round, int firstStep) implements Serializable {
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
     * @param use    what it used; null if the worker has no sequences in this round
     */
    record Result(Peer at, StateSource.Contribution made, List<StepLoss> losses, double gradientNorm, PeersLostException missed, String simd, WorkerUse use)
            implements Serializable {
    }

    /**
     * Trains a worker on its sequences of the round.
     *
     * @param worker the worker's number
     */
    Result train(int worker) {
        try (RoundBatches batches = sequences.open(round, worker)) {
            return batches.steps() == 0 ? new Result(null, null, List.of(), 0, null, null, null) : trained(worker, batches);
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
        List<byte[]> slices;
        DevicePeak peak = WorkerUse.peak(setup.meter());
        long asked = System.nanoTime();
        try {
            slices = executor.begin(begin, worker);
        } catch (PeersLostException e) {
            return new Result(Exchange.get().address(), null, List.of(), 0, e, null,
                    WorkerUse.of(begin.run(), worker, peak, 0, seconds(asked)));
        } finally {
            ExecutorCounters.exchanged(System.nanoTime() - asked);
        }
        double waited = seconds(asked);
        Student student = executor.students().borrow(begin.version());
        boolean kept = false;
        try {
            load(slices, student);
            LOG.info("worker {} trains steps {} to {}", worker, firstStep + 1, firstStep + batches.steps());
            List<StepLoss> losses = new ArrayList<>();
            double gradientNorms = 0;
            double flops = 0;
            while (batches.hasNext()) {
                List<LearntSequence> batch = batches.next();
                losses.add(step(student, batch, worker, firstStep + losses.size()));
                flops += WorkerUse.flops(setup.meter(), batch);
                gradientNorms += student.gradientNorm();
            }
            executor.students().keep(begin.version(), worker, reached(slices, student));
            kept = true;
            Peer me = Exchange.get().address();
            return new Result(me, new StateSource.Contribution(worker, Losses.positions(losses), me), losses,
                    gradientNorms / losses.size(), null, StudentPool.simd(), WorkerUse.of(begin.run(), worker, peak, flops, waited));
        } finally {
            if (!kept) {
                executor.students().giveBack(student);
            }
        }
    }

    private static double seconds(long since) {
        return (System.nanoTime() - since) / 1e9;
    }

    private StepLoss step(Student student, List<LearntSequence> batch, int worker, int step) {
        try {
            StepLoss loss = student.step(batch.stream()
                    .map(sequence -> sequence.with(Labels.decode(setup.labels(), sequence.row(), setup.cache()))).toList(), step);
            if (loss.total() > setup.maxLoss()) {
                throw JobErrors.lossExploded(step, loss.total(), setup.maxLoss());
            }
            return loss;
        } catch (UserException e) {
            throw JobErrors.stepFailed(step, worker, batch.stream().map(sequence -> sequence.row().key()).toList(), e);
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
