/** What jobs read and write, told to listeners that look at Spark's plans. */
package org.potstill.spark.lineage;
