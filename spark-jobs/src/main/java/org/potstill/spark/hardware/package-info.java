/** How well devices are used, and what they cost. */
package org.potstill.spark.hardware;
