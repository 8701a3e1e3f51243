// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OuterOptimizerTest {
    /** Twenty rounds towards averages that drift, beside the same in doubles, where b is taken from its definition as a sum. */
    @ParameterizedTest
    @CsvSource({"0.9,0.7", "0.5,1", "0,0.3"})
    void stepsAreThoseOfNesterovMomentumOnTheWayToTheAverage(double momentum, double learningRate) {
        OuterOptimizer outer = new OuterOptimizer(momentum, learningRate);
        Random random = new Random(1);
        int n = 200;
        float[] parameters = new float[n];
        float[] buffer = new float[outer.momentumLength(n)];
        double[] naive = new double[n];
        double[][] gradients = new double[20][n];
        for (int round = 0; round < 20; round++) {
            float[] average = new float[n];
            for (int i = 0; i < n; i++) {
                average[i] = parameters[i] + (float) (0.1 + 0.1 * random.nextGaussian());
                gradients[round][i] = (double) parameters[i] - average[i];
                double b = 0;
                for (int past = 0; past <= round; past++) {
                    b += Math.pow(momentum, round - past) * gradients[past][i];
                }
                naive[i] -= learningRate * (gradients[round][i] + momentum * b);
            }
            buffer = outer.momentum(parameters, average, buffer);
            parameters = outer.step(parameters, average, buffer);
            for (int i = 0; i < n; i++) {
                assertEquals(naive[i], parameters[i], 1e-5 * (1 + Math.abs(naive[i])));
            }
        }
    }

    @Test
    void withoutMomentumAndAtRateOneTheAverageStandsAsItIs() {
        OuterOptimizer outer = new OuterOptimizer(0, 1);
        float[] average = {1e-30f, 3};
        assertEquals(0, outer.momentumLength(2));
        assertSame(average, outer.step(new float[] {1e8f, -1}, average, new float[0]));
    }
}
