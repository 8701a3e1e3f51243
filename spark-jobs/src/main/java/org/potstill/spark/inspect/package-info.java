/** Inspection and verification of the cache. */
package org.potstill.spark.inspect;
