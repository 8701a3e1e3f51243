// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.io.Serializable;

/**
 * The outer optimizer of DiLoCo (arXiv 2311.08105): treats g = begin − average as a gradient and takes a step of SGD with Nesterov
 * momentum as PyTorch defines it: b ← µ·b + g, then parameters ← begin − η·(g + µ·b). With µ = 0 and η = 1 the result is the
 * average itself.
 *
 * @param momentum     µ; 0 for no momentum
 * @param learningRate η
 */
public record OuterOptimizer(double momentum, double learningRate) implements Serializable {
    /** Returns the length of the momentum buffer b, which is all zeros before the first step; 0 if it is not needed. */
    public int momentumLength(int parameters) {
        return momentum == 0 ? 0 : parameters;
    }

    /** Returns this step's momentum buffer b, given that of the previous step. */
    float[] momentum(float[] begin, float[] average, float[] last) {
        float[] next = new float[last.length];
        for (int i = 0; i < next.length; i++) {
            next[i] = (float) (momentum * last[i] + ((double) begin[i] - average[i]));
        }
        return next;
    }

    /**
     * Takes the outer step.
     *
     * @param buffer this step's momentum buffer b
     * @return the next round's initial parameters
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
