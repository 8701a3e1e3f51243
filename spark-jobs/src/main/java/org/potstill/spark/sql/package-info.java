/** Soft labels in Spark SQL. */
package org.potstill.spark.sql;
