/** Files and folders on any Hadoop file system, and files that appear atomically. */
package org.potstill.spark.storage;
