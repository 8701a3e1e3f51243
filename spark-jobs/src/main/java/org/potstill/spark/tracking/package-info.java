/** The record of runs on an MLflow server: it is written beside the work, which never waits for it. */
package org.potstill.spark.tracking;
