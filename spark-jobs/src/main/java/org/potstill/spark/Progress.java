// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.Console;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Deque;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.apache.spark.SparkContext;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A progress bar with the speed and the time left: drawn in a terminal, a log line every ten seconds elsewhere. */
public final class Progress implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Progress.class);

    /** Those under way, the latest first. */
    private static final Deque<Progress> RUNNING = new ConcurrentLinkedDeque<>();

    private final ProgressBar bar;
    private final LongSupplier done;
    private final long total;
    private final Supplier<String> more;
    private final Runnable atEnd;
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("potstill-progress"));

    /**
     * What a bar shows.
     *
     * @param done at most {@code total}
     */
    public record Step(String task, long done, long total) {
    }

    /** Returns the latest task under way in this process. */
    public static Optional<Step> current() {
        return Optional.ofNullable(RUNNING.peekFirst()).map(latest -> new Step(latest.bar.getTaskName(), latest.bar.getCurrent(), latest.total));
    }

    /**
     * @param total tokens to do
     * @param done  tokens done so far
     */
    public Progress(String task, long total, LongSupplier done) {
        this(task, total, " tokens", 1, done, () -> "", () -> { });
    }

    /** @param more what to show behind the speed */
    private Progress(String task, long total, String unit, long unitSize, LongSupplier done, Supplier<String> more, Runnable atEnd) {
        this.done = done;
        this.more = more;
        this.atEnd = atEnd;
        this.total = total;
        boolean terminal = isTerminal();
        ProgressBarBuilder builder = new ProgressBarBuilder()
                .setTaskName(task).setInitialMax(total).setUnit(unit, unitSize)
                .showSpeed().setSpeedUnit(ChronoUnit.SECONDS)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis((int) Duration.ofSeconds(terminal ? 1 : 10).toMillis());
        if (!terminal) {
            builder.setConsumer(new DelegatingProgressBarConsumer(new Consumer<>() {
                private String last = "";

                @Override
                public void accept(String line) {
                    // The library prints the final line twice.
                    if (!line.equals(last)) {
                        LOG.info(line);
                    }
                    last = line;
                }
            }, 100));
        }
        this.bar = builder.build();
        RUNNING.addFirst(this);
        Future<?> unused = clock.scheduleAtFixedRate(this::step, 1, 1, TimeUnit.SECONDS);
    }

    private void step() {
        // Never past the end: a task that is run again counts twice.
        bar.stepTo(Math.min(total, done.getAsLong()));
        bar.setExtraMessage(more.get());
    }

    /** Whether output goes to a terminal. From JDK 22 on there may be a console without one, which then says so. */
    @SuppressWarnings("SystemConsoleNull")
    private static boolean isTerminal() {
        Console console = System.console();
        try {
            return console != null && (Boolean) Console.class.getMethod("isTerminal").invoke(console);
        } catch (NoSuchMethodException e) {
            return true;
        } catch (ReflectiveOperationException e) {
            return false;
        }
    }

    /** @param done what tasks add to, counted while they run */
    public static Progress of(String task, long total, SparkContext sc, LongAccumulator done) {
        return of(task, total, " tokens", 1, sc, done);
    }

    /** The same for bytes. */
    public static Progress ofBytes(String task, long total, SparkContext sc, LongAccumulator done) {
        return of(task, total, " MiB", 1 << 20, sc, done);
    }

    /**
     * The same for answers.
     *
     * @param tokens counts their tokens, whose speed is shown, too
     */
    public static Progress ofAnswers(String task, long total, SparkContext sc, LongAccumulator done, LongAccumulator tokens) {
        RunningTotal running = new RunningTotal(sc, done);
        RunningTotal written = new RunningTotal(sc, tokens);
        long begin = System.nanoTime();
        return new Progress(task, total, " answers", 1, running,
                () -> String.format(Locale.ROOT, " %.0f tokens/s", written.getAsLong() * 1e9 / (System.nanoTime() - begin)), () -> {
                    running.close();
                    written.close();
                });
    }

    private static Progress of(String task, long total, String unit, long unitSize, SparkContext sc, LongAccumulator done) {
        RunningTotal running = new RunningTotal(sc, done);
        return new Progress(task, total, unit, unitSize, running, () -> "", running::close);
    }

    @Override
    public void close() {
        RUNNING.remove(this);
        clock.shutdownNow();
        step();
        bar.close();
        atEnd.run();
    }
}
