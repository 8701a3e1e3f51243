// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

/** The time during which any requests are in flight. Thread-safe. */
final class BusyTime {
    private int inFlight;
    private long since;
    private long nanos;

    void begin() {
        count(1);
    }

    void end() {
        count(-1);
    }

    private synchronized void count(int more) {
        long now = System.nanoTime();
        if (inFlight > 0) {
            nanos += now - since;
        }
        since = now;
        inFlight += more;
    }

    /** Returns the nanoseconds since the last call. */
    synchronized long take() {
        count(0);
        long taken = nanos;
        nanos = 0;
        return taken;
    }
}
