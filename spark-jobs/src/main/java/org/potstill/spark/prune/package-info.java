/** Removal of what a model can do without. */
package org.potstill.spark.prune;
