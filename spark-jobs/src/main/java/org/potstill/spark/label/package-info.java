/** The first pass: the teacher labels what is not in the cache yet. */
package org.potstill.spark.label;
