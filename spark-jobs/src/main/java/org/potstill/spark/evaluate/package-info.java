/** Comparison of student and teacher: quality, speed and memory. */
package org.potstill.spark.evaluate;
