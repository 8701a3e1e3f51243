/** The training state: its layout in slices, their average, the outer optimizer, and copies on disk. */
package org.potstill.spark.train.state;
