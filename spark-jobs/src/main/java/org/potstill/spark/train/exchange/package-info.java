/** Transfer of parameters between executors, from memory to memory. */
package org.potstill.spark.train.exchange;
