// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;
import scala.Tuple2;

/**
 * What is known of a row without its soft targets and tokens.
 *
 * @param positions   number of positions
 * @param teacherLoss mean −log p, in nats, of the target tokens
 */
public record RowFacts(String key, int positions, float teacherLoss) implements Serializable {
    Tuple2<String, RowFacts> byKey() {
        return new Tuple2<>(key, this);
    }
}
