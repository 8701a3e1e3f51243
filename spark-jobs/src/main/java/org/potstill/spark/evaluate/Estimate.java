package org.potstill.spark.evaluate;

/**
 * A figure and its 95 % interval.
 *
 * @param value over all documents
 * @param low   end of the interval; null where there is only one document
 * @param high  end of the interval; null where there is only one document
 */
public record Estimate(double value, Double low, Double high) {
}
