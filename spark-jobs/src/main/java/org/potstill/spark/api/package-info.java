/** Potstill as programs use it: the jobs, and a facade with DataFrames in and out. */
package org.potstill.spark.api;
