// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class NativeWorkTest {
    /** Ends while one thread is at work, one begins its next piece, and one does what can be abandoned. */
    public static final class Ending {
        private static void start(Runnable work) {
            Thread thread = new Thread(work);
            thread.setDaemon(true);
            thread.start();
        }

        private static void sleep(long millis) {
            long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
            while (System.nanoTime() < end) {
                Thread.onSpinWait();
            }
        }

        public static void main(String[] args) throws InterruptedException {
            CountDownLatch begun = new CountDownLatch(3);
            start(() -> NativeWork.run(() -> {
                begun.countDown();
                sleep(700);
                System.out.print("whole ");
                System.out.flush();
            }));
            start(() -> {
                begun.countDown();
                for (int i = 0; i < 10_000; i++) {
                    NativeWork.run(() -> sleep(1));
                }
                System.out.print("never ");
            });
            start(() -> NativeWork.abandonable(() -> {
                begun.countDown();
                try {
                    Thread.sleep(60_000);
                } catch (InterruptedException e) {
                    System.out.print("abandoned ");
                }
                return null;
            }));
            begun.await();
            System.exit(3);
        }
    }

    /** Waits for work before it ends, as others tear down what the work needs when it does. */
    public static final class EndingFirst {
        public static void main(String[] args) throws InterruptedException {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.print("torn down")));
            CountDownLatch begun = new CountDownLatch(1);
            Ending.start(() -> NativeWork.run(() -> {
                begun.countDown();
                Ending.sleep(300);
                System.out.print("whole ");
            }));
            begun.await();
            NativeWork.end();
            System.exit(3);
        }
    }

    private static void assertEndsWith(int status, String said, Class<?> main) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m", "-cp",
                System.getProperty("java.class.path"), main.getName())).redirectErrorStream(true).start();
        assertEquals(said, new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        assertEquals(status, process.waitFor());
    }

    @Test
    void theEndOfAProcessWaitsForWorkAndLetsNoneBegin() throws IOException, InterruptedException {
        assertEndsWith(3, "abandoned whole ", Ending.class);
    }

    @Test
    void whoEndsAProcessMayWaitForWorkBeforeAnythingIsTornDown() throws IOException, InterruptedException {
        assertEndsWith(3, "whole torn down", EndingFirst.class);
    }

    @Test
    void whatTheWorkThrowsIsThrown() {
        assertThrows(IOException.class, () -> NativeWork.call(() -> {
            throw new IOException();
        }));
        assertEquals(1, NativeWork.<Integer, RuntimeException>call(() -> NativeWork.call(() -> 1)));
    }
}
