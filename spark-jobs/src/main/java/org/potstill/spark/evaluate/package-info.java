/** The student against the teacher: quality, speed and memory. */
package org.potstill.spark.evaluate;
