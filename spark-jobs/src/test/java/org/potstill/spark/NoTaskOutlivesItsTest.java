// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.time.Duration;
import java.util.Arrays;
import org.apache.spark.executor.Executor;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Lets Spark's tasks end before a test's folder is deleted. A job that fails returns while its other tasks are still
 * being cancelled, and they write files until they notice. JUnit finds this class by META-INF/services.
 */
public final class NoTaskOutlivesItsTest implements AfterEachCallback {
    private static final long LIMIT = Duration.ofSeconds(60).toMillis();

    @Override
    public void afterEach(ExtensionContext context) throws InterruptedException {
        long end = System.currentTimeMillis() + LIMIT;
        while (aTaskRuns()) {
            if (System.currentTimeMillis() > end) {
                throw new IllegalStateException("a Spark task still runs " + LIMIT / 1000 + " s after " + context.getDisplayName());
            }
            Thread.sleep(20);
        }
    }

    /** Whether a thread of this JVM is in {@code TaskRunner.run}; thread names do not tell, as idle ones keep theirs. */
    private static boolean aTaskRuns() {
        String runner = Executor.class.getName() + "$TaskRunner";
        return Thread.getAllStackTraces().values().stream()
                .anyMatch(stack -> Arrays.stream(stack).anyMatch(frame -> frame.getClassName().equals(runner)));
    }
}
