/** Compaction and pruning of the cache. */
package org.potstill.spark.cache.upkeep;
