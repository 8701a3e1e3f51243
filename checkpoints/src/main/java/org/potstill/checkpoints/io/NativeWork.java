// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A gate for calls into native libraries. A process that exits during such a call crashes with a segmentation fault,
 * because the libraries' shared state is torn down under it. Exit therefore waits for running calls and lets no other
 * begin.
 */
public final class NativeWork {
    private static final int PATIENCE_SECONDS = 60;
    private static final ReadWriteLock GATE = new ReentrantReadWriteLock();
    /**
     * Threads with interruptible work, each with a lock that keeps interrupts out of its native calls: unpacking a
     * library, for one, must complete.
     */
    private static final Map<Thread, Lock> ABANDONABLE = new ConcurrentHashMap<>();
    private static final Queue<Runnable> LAST = new ConcurrentLinkedQueue<>();
    private static volatile boolean ending;
    private static boolean ended;

    static {
        try {
            Runtime.getRuntime().addShutdownHook(new Thread(NativeWork::end, "potstill-end"));
        } catch (IllegalStateException e) {
            // The process was exiting before it loaded this class: nothing has begun, and nothing may.
            ending = true;
        }
    }

    /** A piece of work. */
    @FunctionalInterface
    public interface Work<T, E extends Exception> {
        T run() throws E;
    }

    private NativeWork() {
    }

    /** Runs native calls, unless the process is exiting. Nested calls in the same thread are free. */
    public static <T, E extends Exception> T call(Work<T, E> work) throws E {
        // Other threads lock the gate a second time, which costs nothing.
        Lock quiet = ABANDONABLE.getOrDefault(Thread.currentThread(), GATE.readLock());
        GATE.readLock().lock();
        quiet.lock();
        try {
            requireGoingOn(Thread.currentThread().isInterrupted());
            return work.run();
        } finally {
            quiet.unlock();
            GATE.readLock().unlock();
        }
    }

    /** See {@link #call}. */
    public static void run(Runnable work) {
        call(() -> {
            work.run();
            return null;
        });
    }

    /**
     * Runs long work that cleans up when interrupted and makes its native calls through the gate. Exit interrupts it
     * between those calls and waits for it, so that nothing half-written stays on disk.
     */
    public static <T, E extends Exception> T abandonable(Work<T, E> work) throws E {
        Lock outer = ABANDONABLE.putIfAbsent(Thread.currentThread(), new ReentrantLock());
        try {
            requireGoingOn(true);
            return work.run();
        } finally {
            if (outer == null) {
                ABANDONABLE.remove(Thread.currentThread());
            }
        }
    }

    /** Registers work to run at exit, after all calls have returned. */
    public static void atEnd(Runnable work) {
        LAST.add(work);
    }

    private static void requireGoingOn(boolean asked) {
        if (asked && ending) {
            throw new IllegalStateException("the process ends");
        }
    }

    private static void interrupt(Thread thread, Lock quiet) {
        if (quiet.tryLock()) {
            try {
                thread.interrupt();
            } finally {
                quiet.unlock();
            }
        }
    }

    /**
     * Waits for running calls and lets no other begin, ever. A shutdown hook calls this, but concurrently with other
     * hooks, such as ONNX Runtime's teardown: code that exits while work may be running must call it first.
     */
    public static synchronized void end() {
        if (ended) {
            return;
        }
        ended = true;
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        ending = true;
        try {
            while (!ABANDONABLE.isEmpty() && System.nanoTime() < deadline) {
                ABANDONABLE.forEach(NativeWork::interrupt);
                Thread.sleep(10);
            }
            // Never released.
            if (GATE.writeLock().tryLock(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                LAST.forEach(Runnable::run);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
