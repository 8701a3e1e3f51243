// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.apache.spark.api.java.JavaSparkContext;
import org.potstill.errors.UserException;
import org.potstill.spark.Failures;
import org.potstill.spark.Progress;
import org.potstill.spark.TrainingProgress;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.hardware.DeviceShare;
import org.potstill.spark.train.averaging.AveragingRound;
import org.potstill.spark.train.averaging.DistributedState;
import org.potstill.spark.train.averaging.GraceRounds;
import org.potstill.spark.train.averaging.Losses;
import org.potstill.spark.train.averaging.StateLostException;
import org.potstill.spark.train.averaging.Stretch;
import org.potstill.spark.train.data.EpochFiles;
import org.potstill.spark.train.data.EpochFolder;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.loss.StepLoss;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The driver's side of training: epoch by epoch, round by round. The state is copied to the driver's disk for every checkpoint and
 * at least every {@link #copyRounds}. If all executors that hold the state die (with {@link Averaging#PARAMETERS}, any), training resumes from
 * the last copy and produces the same bytes as an undisturbed run; repeated losses after the same copy end it with an error.
 */
public final class TrainingLoop {
    static final int COPY_ROUNDS = 32;
    /** Most rounds between copies if only parameters are averaged, where a copy costs a round in which moments travel, too. */
    private static final int MERGE_ROUNDS = 128;
    /** Most rounds between copies times workers then: any executor that dies costs all rounds since the last copy, and the more there are, the more die. */
    private static final int MERGE_WORKER_ROUNDS = 4096;
    private static final int MAX_LOSSES = 3;
    private static final long LOG_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final Logger LOG = LoggerFactory.getLogger(TrainingLoop.class);

    private final JavaSparkContext sc;
    private final TrainingPlan plan;
    private final WorkerSetup setup;
    private final EpochFolder epochs;
    private final long positions;
    private final TrainingCheckpoints checkpoints;
    private final int checkpointRounds;
    private final double grace;
    private final LateRecords late;
    private final Consumer<TrainedRound> listener;
    private final List<StepLoss> history = new ArrayList<>();
    private final AtomicLong learnt = new AtomicLong();
    private final TrainingUse use = new TrainingUse();
    private TrainingCheckpoints.Position copy;
    private DistributedState state;
    private int lossesSinceCopy;
    private long logged = System.nanoTime();

    /**
     * @param positions        positions to learn from in an epoch
     * @param checkpointRounds rounds between checkpoints within an epoch; 0 for checkpoints only at its end
     * @param grace            seconds after which a round closes without late workers; 0 if none does
     * @param listener         is told of every round
     */
    TrainingLoop(JavaSparkContext sc, TrainingPlan plan, WorkerSetup setup, EpochFolder epochs, long positions, TrainingCheckpoints checkpoints,
            int checkpointRounds, double grace, LateRecords late, Consumer<TrainedRound> listener) {
        this.sc = sc;
        this.plan = plan;
        this.setup = setup;
        this.epochs = epochs;
        this.positions = positions;
        this.checkpoints = checkpoints;
        this.checkpointRounds = checkpointRounds;
        this.grace = grace;
        this.late = late;
        this.listener = listener;
    }

    /**
     * Trains from a position to the end.
     *
     * @return the final position
     * @throws UserException if training fails for a reason that the user can resolve
     */
    TrainingCheckpoints.Position run(TrainingCheckpoints.Position begin) {
        copy = begin;
        returnToCopy();
        int epoch = begin.epoch();
        int round = begin.round();
        EpochFiles sequences = null;
        int epochOfSequences = -1;
        state = DistributedState.of(sc, begin.state(), plan.workers());
        long started = System.nanoTime();
        try (Progress progress = new Progress("train", positions * plan.epochs(), learnt::get)) {
            while (epoch < plan.epochs()) {
                try {
                    if (epochOfSequences != epoch) {
                        sequences = epochs.of(epoch);
                        epochOfSequences = epoch;
                    }
                    round = withoutLate(sequences, epoch, round);
                    long roundBegan = System.nanoTime();
                    boolean last = round == plan.roundsPerEpoch() - 1;
                    boolean save = saves(round);
                    boolean copies = copies(round);
                    AveragingRound.Outcome outcome = new AveragingRound(sc, setup, plan, state, sequences, epoch, round,
                            copies || setup.averaging() == Averaging.EVERYTHING).run();
                    state = outcome.state();
                    history.addAll(outcome.losses());
                    learn(outcome, epoch, round, (System.nanoTime() - roundBegan) / 1e9);
                    int nextEpoch = last ? epoch + 1 : epoch;
                    int nextRound = last ? 0 : round + 1;
                    if (copies) {
                        double seconds = begin.seconds() + (System.nanoTime() - started) / 1e9;
                        copy(nextEpoch, nextRound, seconds);
                    }
                    if (save) {
                        checkpoints.save(history.size(), copy);
                    }
                    epoch = nextEpoch;
                    round = nextRound;
                } catch (StateLostException e) {
                    if (++lossesSinceCopy == MAX_LOSSES) {
                        throw failed(JobErrors.stateLost(MAX_LOSSES, e.peers(), e), epoch, round);
                    }
                    LOG.warn("going back from epoch {} round {} to the driver's copy, of epoch {} round {}",
                            epoch + 1, round + 1, copy.epoch() + 1, copy.round() + 1, e);
                    state = state.replacedBy(copy.state());
                    returnToCopy();
                    epoch = copy.epoch();
                    round = copy.round();
                } catch (Exception | OutOfMemoryError e) {
                    // Exception, as Scala code throws the checked SparkException without declaring it.
                    throw failed(e, epoch, round);
                }
            }
        } finally {
            state.end();
        }
        return copy;
    }

    private boolean saves(int round) {
        return round == plan.roundsPerEpoch() - 1 || checkpointRounds > 0 && (round + 1) % checkpointRounds == 0;
    }

    /** Whether the state after a round is copied; that after the last round of an epoch is, so the last copy is of the same epoch. */
    private boolean copies(int round) {
        return saves(round) || round + 1 - copy.round() == copyRounds(setup.averaging(), plan.workers());
    }

    /**
     * Trains the rounds from a copy to the next whole one, if rounds close without late workers or have been recorded to do so.
     *
     * @return the next round, of the epoch
     */
    private int withoutLate(EpochFiles sequences, int epoch, int round) {
        if (setup.averaging() == Averaging.EVERYTHING || setup.overlap() > 0 || round > copy.round() || copies(round)) {
            return round;
        }
        int end = round;
        while (!copies(end)) {
            end++;
        }
        Stretch stretch = new Stretch(epoch, round, end);
        List<List<Integer>> without = late.of(stretch);
        if (grace == 0 && without.stream().allMatch(List::isEmpty)) {
            return round;
        }
        try (GraceRounds rounds = new GraceRounds(sc, setup, plan, state, sequences, stretch, grace, without)) {
            while (rounds.hasNext()) {
                long began = System.nanoTime();
                AveragingRound.Outcome outcome = rounds.next();
                state = outcome.state();
                if (!outcome.late().isEmpty()) {
                    late.save();
                }
                learn(outcome, epoch, rounds.round(), (System.nanoTime() - began) / 1e9);
            }
            late.save();
            history.addAll(rounds.history());
        }
        return end;
    }

    /** Returns after how many rounds the state is copied at the latest. */
    public static int copyRounds(Averaging averaging, int workers) {
        return averaging == Averaging.EVERYTHING ? COPY_ROUNDS : Math.max(1, Math.min(MERGE_ROUNDS, MERGE_WORKER_ROUNDS / workers));
    }

    private void copy(int epoch, int round, double seconds) {
        StateCopy last = copy.state();
        StateCopy next = last.blank();
        try {
            state.collect(next);
        } catch (RuntimeException | Error e) {
            next.delete();
            throw e;
        }
        Set<String> simd = new TreeSet<>(copy.simd());
        simd.addAll(state.simd());
        copy = new TrainingCheckpoints.Position(epoch, round, next, List.copyOf(history), seconds, simd);
        last.delete();
        lossesSinceCopy = 0;
    }

    private void learn(AveragingRound.Outcome outcome, int epoch, int round, double seconds) {
        List<StepLoss> losses = outcome.losses();
        learnt.addAndGet(Losses.positions(losses));
        boolean end = epoch == plan.epochs() - 1 && round == plan.roundsPerEpoch() - 1;
        StepLoss loss = Losses.mean(losses);
        int rounds = epoch * plan.roundsPerEpoch() + round + 1;
        TrainingProgress.learnt(rounds, loss.total(), loss.kl());
        use.add(outcome.use(), seconds);
        DeviceShare share = DeviceShare.of(outcome.use().work(seconds));
        double waited = outcome.use().waited() / seconds;
        listener.accept(new TrainedRound(rounds, loss, setup.options().rateAt(plan.firstStep(epoch, round) + losses.size() - 1), outcome.gradientNorm(),
                loss.positions() / seconds, share == null ? null : share.share(), outcome.use().received(), waited, outcome.late().size()));
        LOG.debug("{} s; executors received {} bytes from each other; workers waited {} s for the round's initial state", seconds, outcome.use().received(),
                outcome.use().waited());
        String line = String.format(Locale.ROOT, "epoch %d round %d/%d: loss %.4f, KL %.4f, cross-entropy %.4f%s", epoch + 1, round + 1,
                plan.roundsPerEpoch(), loss.total(), loss.kl(), loss.crossEntropy(), late(outcome.late()));
        if (!end && System.nanoTime() - logged < LOG_NANOS) {
            LOG.debug(line);
            return;
        }
        LOG.info(line);
        logged = System.nanoTime();
    }

    private static String late(List<Integer> workers) {
        return workers.isEmpty() ? "" : "; late: worker " + workers.stream().map(String::valueOf).collect(Collectors.joining(", "));
    }

    /** Returns what the rounds used that were run, repeated ones included. */
    TrainingUse use() {
        return use;
    }

    private void returnToCopy() {
        history.clear();
        history.addAll(copy.history());
        learnt.set(Losses.positions(history));
    }

    private RuntimeException failed(Throwable e, int epoch, int round) {
        Optional<UserException> error = Failures.within(e)
                .or(() -> Failures.isOutOfMemory(e) ? Optional.of(PlatformErrors.notEnoughMemory("training", e)) : Failures.explain(e));
        return error.isPresent() ? JobErrors.trainingFailed(epoch + 1, round + 1, checkpoints.describeNewest(), error.get())
                : new IllegalStateException("averaging round " + (round + 1) + " of epoch " + (epoch + 1)
                        + " failed; the last good checkpoint is " + checkpoints.describeNewest(), e);
    }
}
