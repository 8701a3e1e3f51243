/** The teacher on the executors: fetched once per node, loaded once per device. */
package org.potstill.spark.teacher;
