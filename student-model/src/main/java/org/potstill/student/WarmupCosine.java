package org.potstill.student;

import org.nd4j.linalg.schedule.ISchedule;

/**
 * A learning rate that climbs in a line to {@code peak}, which it reaches in the last of {@code warmupSteps} steps,
 * then falls along half a cosine to {@code floor} at {@code totalSteps} and stays there. The first step's rate is
 * peak / warmupSteps, not 0, which would waste it.
 */
record WarmupCosine(double peak, double floor, int warmupSteps, int totalSteps) implements ISchedule {
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
