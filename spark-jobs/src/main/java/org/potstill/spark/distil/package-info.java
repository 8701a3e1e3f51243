/** All steps in one application, each only where it is not done yet. */
package org.potstill.spark.distil;
