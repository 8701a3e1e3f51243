/** The corpus: what files and records are text, and where bad ones go. */
package org.potstill.spark.corpus;
