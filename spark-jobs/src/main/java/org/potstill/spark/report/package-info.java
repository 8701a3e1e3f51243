/** The report, as a page and as JSON. */
package org.potstill.spark.report;
