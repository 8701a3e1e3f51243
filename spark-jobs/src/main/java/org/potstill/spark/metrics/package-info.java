/** Comparison of next-token distributions. */
package org.potstill.spark.metrics;
