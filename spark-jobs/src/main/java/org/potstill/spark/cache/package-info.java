/** The soft-label cache on any Hadoop file system. */
package org.potstill.spark.cache;
