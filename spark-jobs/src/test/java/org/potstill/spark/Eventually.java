// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waits of tests, all of which end. */
public final class Eventually {
    /** Roomy, as machines that run tests may be busy with other things. */
    private static final Duration LIMIT = Duration.ofMinutes(3);

    private Eventually() {
    }

    /** Waits until a condition holds, and fails with a message if it does not within minutes. */
    public static void until(BooleanSupplier holds, Supplier<String> message) throws InterruptedException {
        long begin = System.nanoTime();
        while (!holds.getAsBoolean()) {
            assertTrue(System.nanoTime() - begin < LIMIT.toNanos(), message);
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }
}
