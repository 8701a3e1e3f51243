// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

/**
 * An estimate with its 95 % interval.
 *
 * @param value estimate over all documents
 * @param low   lower bound; null if there is only one document
 * @param high  upper bound; null if there is only one document
 */
public record Estimate(double value, Double low, Double high) {
}
