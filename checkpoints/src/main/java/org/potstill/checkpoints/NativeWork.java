package org.potstill.checkpoints;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The gate that calls of native libraries go through. A process that ends while one of them runs dies of a segmentation fault
 * instead: what the libraries share is torn down under the call. So the end waits for calls that run, and lets no other begin.
 */
public final class NativeWork {
    private static final int PATIENCE_SECONDS = 60;
    private static final ReadWriteLock GATE = new ReentrantReadWriteLock();
    private static final Set<Thread> ABANDONABLE = ConcurrentHashMap.newKeySet();

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
        GATE.readLock().lock();
        try {
            return work.run();
        } finally {
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
     * end of the process interrupts it and waits for it, so that nothing half-made stays on the disk.
     */
    public static <T, E extends Exception> T abandonable(Work<T, E> work) throws E {
        ABANDONABLE.add(Thread.currentThread());
        try {
            return work.run();
        } finally {
            ABANDONABLE.remove(Thread.currentThread());
        }
    }

    private static void end() {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        try {
            while (!ABANDONABLE.isEmpty() && System.nanoTime() < deadline) {
                ABANDONABLE.forEach(Thread::interrupt);
                Thread.sleep(10);
            }
            // Never given back.
            GATE.writeLock().tryLock(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
