// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

/** How far the training that this driver runs has come; the source of the driver's metrics. */
public final class TrainingProgress {
    private static volatile State state = new State(0, Double.NaN, Double.NaN);

    private record State(int rounds, double loss, double kl) {
    }

    private TrainingProgress() {
    }

    /**
     * Tells of a round.
     *
     * @param rounds averaging rounds completed, over all epochs
     * @param loss   the round's mean loss
     * @param kl     the round's mean forward KL in nats
     */
    public static void learnt(int rounds, double loss, double kl) {
        state = new State(rounds, loss, kl);
    }

    static int rounds() {
        return state.rounds();
    }

    /** Returns the last round's mean loss; NaN before the first. */
    static double loss() {
        return state.loss();
    }

    static double kl() {
        return state.kl();
    }
}
