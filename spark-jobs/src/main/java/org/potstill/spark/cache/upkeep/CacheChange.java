// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache.upkeep;


/**
 * Effect of compaction or pruning, or of a dry run, on one store. Rows, bytes and files are those of the labels visible to readers.
 *
 * @param folder       the store's folder
 * @param rowsAfter    rows, one per key in rewritten files
 * @param bytesAfter   an estimate in a dry run
 * @param filesAfter   an estimate in a dry run
 * @param deletedFiles physically deleted files of any kind
 * @param deletedBytes bytes of those files
 */
public record CacheChange(String folder, long rowsBefore, long rowsAfter, long bytesBefore, long bytesAfter, int filesBefore,
        int filesAfter, int deletedFiles, long deletedBytes) {
}
