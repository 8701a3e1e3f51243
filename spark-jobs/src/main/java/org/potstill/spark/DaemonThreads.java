// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.concurrent.ThreadFactory;

/** Factory of threads that do not keep the process alive. */
public final class DaemonThreads {
    private DaemonThreads() {
    }

    /** Returns a factory of daemon threads that all have this name. */
    public static ThreadFactory named(String name) {
        return task -> {
            Thread thread = new Thread(task, name);
            thread.setDaemon(true);
            return thread;
        };
    }
}
