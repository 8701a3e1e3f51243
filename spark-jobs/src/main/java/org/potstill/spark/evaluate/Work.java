// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;

/** Unit of work that executors score. */
sealed interface Work extends Serializable permits Passage, Question {
    /** Returns the number of next-token predictions that each model makes. */
    long positions();
}
