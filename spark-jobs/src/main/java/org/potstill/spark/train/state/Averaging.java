// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

/** What the workers of a training run average. */
public enum Averaging {
    /** Parameters and Adam's moments, every round. */
    EVERYTHING,

    /**
     * Parameters; what travels is differences from the last average. Each worker keeps its moments, as in DiLoCo (arXiv 2311.08105),
     * and averages them only in a round that ends with a copy of the state.
     */
    PARAMETERS
}
