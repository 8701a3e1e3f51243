// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

/**
 * Files of the corpus, or tables in one version, that a run read or took over.
 *
 * @param read  those that it read; 0 if the corpus cannot be recognised, so that all of it is read
 * @param taken those that are as an earlier run saw them, whose places in the snapshot, counts and problems are taken over
 */
public record CorpusReuse(long read, long taken) {
}
