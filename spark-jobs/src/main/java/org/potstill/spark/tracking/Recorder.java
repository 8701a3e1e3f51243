// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.potstill.spark.DaemonThreads;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread that speaks to the server: it begins the run, sends figures in batches as they come, and ends the run. The work only puts
 * figures into a queue, which drops them when it is full. What the server does not take is sent again until the work has ended; of all that goes
 * wrong there is one warning.
 */
final class Recorder {
    private static final Logger LOG = LoggerFactory.getLogger(Recorder.class);
    private static final int QUEUE = 50_000;
    private static final int BATCH_MILLIS = 1000;
    private static final int MAX_PAUSE_SECONDS = 60;
    /** How long the end of the work waits for a server that does make progress. */
    private static final int END_SECONDS = 900;

    private final String uri;
    private final Duration stall;
    private final BlockingQueue<MlflowServer.Figure> figures = new ArrayBlockingQueue<>(QUEUE);
    private final AtomicLong dropped = new AtomicLong();
    private final CountDownLatch ending = new CountDownLatch(1);
    private final Thread thread;
    private volatile List<Runnable> last = List.of();
    private volatile long progress = System.nanoTime();
    private volatile boolean abandoned;
    private volatile boolean warned;
    private boolean failing;

    /**
     * Starts the thread.
     *
     * @param uri   of the server, for messages
     * @param stall how long the end of the work waits for a server that makes no progress
     * @param begin begins the run; after a failure it is run again
     * @param send  sends up to {@link MlflowServer#MAX_METRICS} figures
     */
    Recorder(String uri, Duration stall, Runnable begin, Consumer<List<MlflowServer.Figure>> send) {
        this.uri = uri;
        this.stall = stall;
        this.thread = DaemonThreads.named("potstill-mlflow").newThread(() -> record(begin, send));
        thread.start();
    }

    /** Takes a figure for the server; never blocks. */
    void add(MlflowServer.Figure figure) {
        if (!figures.offer(figure)) {
            dropped.incrementAndGet();
        }
    }

    /** Notes that the server took something. */
    void progressed() {
        progress = System.nanoTime();
    }

    /**
     * Has the last requests made, and waits for them: not long if the server does not answer.
     *
     * @param requests in this order, after all figures
     */
    void end(List<Runnable> requests) {
        last = List.copyOf(requests);
        progressed();
        long limit = System.nanoTime() + TimeUnit.SECONDS.toNanos(END_SECONDS);
        ending.countDown();
        try {
            while (thread.isAlive() && System.nanoTime() < limit && System.nanoTime() - progress < stall.toNanos()) {
                thread.join(100);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        abandoned = true;
        if (thread.isAlive()) {
            thread.interrupt();
            warn("no answer at the end of the job");
        }
        if (dropped.get() > 0) {
            LOG.info("{} figures were not recorded, as too many were waiting for MLflow", dropped);
        }
    }

    private void record(Runnable begin, Consumer<List<MlflowServer.Figure>> send) {
        try {
            if (!attempt(begin)) {
                return;
            }
            while (ending.getCount() > 0 || !figures.isEmpty()) {
                List<MlflowServer.Figure> batch = batch();
                if (!batch.isEmpty()) {
                    attempt(() -> send.accept(batch));
                }
            }
            last.forEach(this::attempt);
        } catch (UnrecordedException e) {
            LOG.info("MLflow has not recorded the end of this run");
        } catch (RuntimeException e) {
            // A defect, or a reply that the library does not understand: it must not end the work.
            warn(e.toString());
        }
    }

    private List<MlflowServer.Figure> batch() {
        boolean unused = await(BATCH_MILLIS);
        List<MlflowServer.Figure> batch = new ArrayList<>();
        figures.drainTo(batch, MlflowServer.MAX_METRICS);
        return batch;
    }

    /**
     * Makes a request until the server has taken it.
     *
     * @return whether the server has not refused it
     * @throws UnrecordedException if the server does not answer and the work has ended
     */
    private boolean attempt(Runnable request) {
        for (int pause = 1;; pause = Math.min(2 * pause, MAX_PAUSE_SECONDS)) {
            try {
                request.run();
                progressed();
                if (failing) {
                    failing = false;
                    LOG.info("MLflow answers again");
                }
                return true;
            } catch (UnrecordedException e) {
                warn(e.getMessage());
                if (e.isRefused()) {
                    return false;
                }
                failing = true;
                if (abandoned || await(TimeUnit.SECONDS.toMillis(pause)) && pause > 1) {
                    throw e;
                }
            }
        }
    }

    /** Waits, and returns whether the work has ended. */
    private boolean await(long millis) {
        try {
            return ending.await(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnrecordedException("interrupted", false);
        }
    }

    private void warn(String why) {
        if (warned) {
            LOG.debug("MLflow at {}: {}", uri, why);
            return;
        }
        warned = true;
        LOG.warn("MLflow at {} does not record this run: {}. The job goes on without it. Check mlflow.uri and mlflow.experiment, and that the "
                + "server runs; its key is the driver's environment variable MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and "
                + "MLFLOW_TRACKING_PASSWORD", uri, why);
    }
}
