// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.BytePointer;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.nd4j.Nd4jRuntime;

/**
 * A measurement of how fast this machine's CPU multiplies matrices: the peak that models are compared with. Clock, memory and a
 * container's limits are in it, which no data sheet knows.
 */
public final class CpuPeak {
    /** Numbers that are multiplied: floats, bfloat16 accumulated in floats, or bytes accumulated in integers. */
    public enum Numbers { FP32, BF16, INT8 }

    private static final int M = 512;
    private static final int N = 512;
    private static final int K = 1024;
    private static final int TURNS = 5;
    private static final long TURN_NANOS = TimeUnit.MILLISECONDS.toNanos(40);
    /** In each byte of the operands: an ordinary number in all formats, as products of tiny ones are slow. */
    private static final int FILLING = 0x3f;

    static {
        NativeLibraries.keepPrivate();
        // OpenMP, which oneDNN loads, reads its settings once: a student in the same process needs them.
        Nd4jRuntime.prepare();
    }

    private CpuPeak() {
    }

    /**
     * Measures, for about 0.2 s, the operations per second of threads that multiply at the same time.
     *
     * @return those of the best of {@value #TURNS} turns; empty if {@link OneDnn} is not available, or not for these numbers
     */
    public static OptionalDouble measure(int threads, Numbers numbers) {
        if (numbers == Numbers.BF16 ? !OneDnn.canUseBf16() : !OneDnn.isAvailable()) {
            return OptionalDouble.empty();
        }
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try (BytePointer a = filled((long) M * K * Float.BYTES); BytePointer b = filled((long) K * N * Float.BYTES)) {
            double best = 0;
            for (int turn = 0; turn < TURNS; turn++) {
                best = Math.max(best, turn(pool, threads, numbers, a.address(), b.address()));
            }
            return OptionalDouble.of(best);
        } finally {
            pool.shutdown();
        }
    }

    private static BytePointer filled(long bytes) {
        return new BytePointer(bytes).fill(FILLING);
    }

    private static double turn(ExecutorService pool, int threads, Numbers numbers, long a, long b) {
        List<CompletableFuture<Double>> speeds = IntStream.range(0, threads).mapToObj(i -> CompletableFuture.supplyAsync(() -> speed(numbers, a, b), pool)).toList();
        // Even if one failed: no thread may still use memory that the caller then frees.
        CompletableFuture.allOf(speeds.toArray(CompletableFuture[]::new)).exceptionally(e -> null).join();
        return speeds.stream().mapToDouble(CompletableFuture::join).sum();
    }

    private static double speed(Numbers numbers, long a, long b) {
        try (BytePointer c = new BytePointer((long) M * N * Float.BYTES)) {
            long begin = System.nanoTime();
            long products = 0;
            do {
                NativeWork.run(() -> multiply(numbers, a, b, c.address()));
                products++;
            } while (System.nanoTime() - begin < TURN_NANOS);
            return 2.0 * M * N * K * products / (System.nanoTime() - begin) * 1e9;
        }
    }

    private static void multiply(Numbers numbers, long a, long b, long c) {
        switch (numbers) {
            case FP32 -> OneDnn.sgemm(false, false, M, N, K, a, K, b, N, 0, c, N);
            case BF16 -> OneDnn.bgemm(false, false, M, N, K, a, K, b, N, 0, c, N);
            case INT8 -> OneDnn.igemm(M, N, K, a, b, c);
        }
    }
}
