package org.potstill.checkpoints;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
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

    @Test
    void theEndOfAProcessWaitsForWorkAndLetsNoneBegin() throws IOException, InterruptedException {
        Process process = new ProcessBuilder(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m", "-cp",
                System.getProperty("java.class.path"), Ending.class.getName())).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        assertEquals("abandoned whole ", said);
        assertEquals(3, process.waitFor());
    }

    @Test
    void whatTheWorkThrowsIsThrown() {
        assertThrows(IOException.class, () -> NativeWork.call(() -> {
            throw new IOException();
        }));
        assertEquals(1, NativeWork.<Integer, RuntimeException>call(() -> NativeWork.call(() -> 1)));
    }
}
