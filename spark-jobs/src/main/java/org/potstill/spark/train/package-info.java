/** The second pass: training on cached soft labels. */
package org.potstill.spark.train;
