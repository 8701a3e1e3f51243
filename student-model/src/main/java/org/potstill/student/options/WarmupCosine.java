// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.options;

import org.nd4j.linalg.schedule.ISchedule;

/**
 * Learning-rate schedule: linear warm-up to {@code peak}, reached in the last of {@code warmupSteps} steps, then cosine decay
 * to {@code floor} at {@code totalSteps}, constant afterwards. The first step's rate is peak / warmupSteps, because a rate of 0
 * would waste the step.
 */
public record WarmupCosine(double peak, double floor, int warmupSteps, int totalSteps) implements ISchedule {
    @Override
    public double valueAt(int iteration, int epoch) {
        if (iteration < warmupSteps) {
            return peak * (iteration + 1) / warmupSteps;
        }
        if (iteration >= totalSteps) {
            return floor;
        }
        double progress = (double) (iteration - warmupSteps) / (totalSteps - warmupSteps);
        return floor + (peak - floor) * (1 + Math.cos(Math.PI * progress)) / 2;
    }

    @Override
    public ISchedule clone() {
        return this;
    }
}
