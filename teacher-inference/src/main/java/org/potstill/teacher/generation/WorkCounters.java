// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

/** Counters of a writer's work. Thread-safe. */
final class WorkCounters {
    private long promptTokens;
    private long sharedTokens;
    private long newTokens;
    private long steps;
    private long nanos;

    synchronized void read(int read, int shared) {
        promptTokens += read;
        sharedTokens += shared;
    }

    synchronized void wrote(int tokens) {
        newTokens += tokens;
        steps++;
    }

    synchronized void worked(long spent) {
        nanos += spent;
    }

    /** Returns the work so far and begins anew. */
    synchronized WritingWork take() {
        WritingWork work = new WritingWork(promptTokens, sharedTokens, newTokens, steps, nanos / 1e9);
        promptTokens = 0;
        sharedTokens = 0;
        newTokens = 0;
        steps = 0;
        nanos = 0;
        return work;
    }
}
