package org.potstill.spark.train;

import java.io.Serializable;

/**
 * What becomes of a round's average (DiLoCo, arXiv 2311.08105): the way from it back to the round's beginning is taken for
 * a gradient, g = begin − average, along which SGD with Nesterov momentum goes, as PyTorch defines it: b ← µ·b + g, and
 * parameters ← begin − η·(g + µ·b). With µ = 0 and η = 1 they are the average itself.
 *
 * @param momentum     µ; 0 for none
 * @param learningRate η
 */
record OuterOptimizer(double momentum, double learningRate) implements Serializable {
    /** How long b is, which is zeros before the first step; 0 where it is not needed. */
    int momentumLength(int parameters) {
        return momentum == 0 ? 0 : parameters;
    }

    /** @return b of this step from that of the last */
    float[] momentum(float[] begin, float[] average, float[] last) {
        float[] next = new float[last.length];
        for (int i = 0; i < next.length; i++) {
            next[i] = (float) (momentum * last[i] + ((double) begin[i] - average[i]));
        }
        return next;
    }

    /**
     * @param buffer b of this step
     * @return the parameters that the next round begins with
     */
    float[] step(float[] begin, float[] average, float[] buffer) {
        if (momentum == 0 && learningRate == 1) {
            return average;
        }
        float[] end = new float[begin.length];
        for (int i = 0; i < end.length; i++) {
            double gradient = (double) begin[i] - average[i];
            double step = momentum == 0 ? gradient : gradient + momentum * buffer[i];
            end[i] = (float) (begin[i] - learningRate * step);
        }
        return end;
    }
}
