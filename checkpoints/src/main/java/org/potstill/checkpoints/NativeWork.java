package org.potstill.checkpoints;

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
 * The gate that calls of native libraries go through. A process that ends while one of them runs dies of a segmentation fault
 * instead: what the libraries share is torn down under the call. So the end waits for calls that run, and lets no other begin.
 */
public final class NativeWork {
    private static final int PATIENCE_SECONDS = 60;
    private static final ReadWriteLock GATE = new ReentrantReadWriteLock();
    /** With the lock of each that keeps interrupts out of its calls: a library that is being unpacked is to be whole. */
    private static final Map<Thread, Lock> ABANDONABLE = new ConcurrentHashMap<>();
    private static final Queue<Runnable> LAST = new ConcurrentLinkedQueue<>();
    private static volatile boolean ending;
    private static boolean ended;

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(NativeWork::end, "potstill-end"));
    }

    /** A piece of work. */
    @FunctionalInterface
    public interface Work<T, E extends Exception> {
        T run() throws E;
    }

    private NativeWork() {
    }

    /** Runs a call, or several; once the process ends, none, for ever. A call within a call of the same thread is free. */
    public static <T, E extends Exception> T call(Work<T, E> work) throws E {
        // Elsewhere the gate's once more, which costs nothing.
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
     * Runs what takes long, cleans up after itself when it is interrupted, and goes through the gate with its native calls. The
     * end of the process interrupts it between those and waits for it, so that nothing half-made stays on the disk.
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

    /** Has something done when the process ends and all calls have returned. */
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
     * Waits for the calls that run, and lets no other begin, ever. Java calls this at the end of the process, but beside what else is
     * to be done then, ONNX Runtime's own teardown among it: who ends a process while work may be under way calls it before.
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
            // Never given back.
            if (GATE.writeLock().tryLock(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                LAST.forEach(Runnable::run);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
