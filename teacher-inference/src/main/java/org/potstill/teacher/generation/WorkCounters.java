// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

/** Counters of a writer's work. Thread-safe. */
public final class WorkCounters {
    private long promptTokens;
    private long sharedTokens;
    private long newTokens;
    private long steps;
    private long nanos;

    public synchronized void read(int read, int shared) {
        promptTokens += read;
        sharedTokens += shared;
    }

    public synchronized void wrote(int tokens) {
        newTokens += tokens;
        steps++;
    }

    public synchronized void worked(long spent) {
        nanos += spent;
    }

    /** Returns the work so far and begins anew. */
    public synchronized WritingWork take() {
        WritingWork work = new WritingWork(promptTokens, sharedTokens, newTokens, steps, nanos / 1e9);
        promptTokens = 0;
        sharedTokens = 0;
        newTokens = 0;
        steps = 0;
        nanos = 0;
        return work;
    }
}
