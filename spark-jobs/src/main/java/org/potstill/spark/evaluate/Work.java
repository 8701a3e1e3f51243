package org.potstill.spark.evaluate;

import java.io.Serializable;

/** A piece of what executors score. */
sealed interface Work extends Serializable permits Passage, Question {
    /** Next-token predictions that each model makes for it. */
    long positions();
}
