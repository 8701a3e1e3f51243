/** User errors of the jobs. */
package org.potstill.spark.errors;
