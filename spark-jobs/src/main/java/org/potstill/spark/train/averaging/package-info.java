/** Rounds of local steps and parameter averaging. */
package org.potstill.spark.train.averaging;
