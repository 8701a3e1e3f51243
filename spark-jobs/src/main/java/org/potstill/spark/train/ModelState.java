package org.potstill.spark.train;

/**
 * What the workers train, whole.
 *
 * @param parameters   of the student
 * @param updaterState Adam's moments; empty for SGD
 * @param momentum     of the {@link OuterOptimizer}; empty where it has none
 */
record ModelState(float[] parameters, float[] updaterState, float[] momentum) {
    long bytes() {
        return Float.BYTES * ((long) parameters.length + updaterState.length + momentum.length);
    }
}
