package org.potstill.spark.cache;

/**
 * What compaction or pruning did, or would do, to one store. Rows, bytes and files are those of the labels that readers see.
 *
 * @param folder       of the store
 * @param rowsAfter    one per key in what was rewritten
 * @param bytesAfter   of a dry run an estimate
 * @param filesAfter   of a dry run an estimate
 * @param deletedFiles files of any kind, deleted for good
 * @param deletedBytes of those
 */
public record CacheChange(String folder, long rowsBefore, long rowsAfter, long bytesBefore, long bytesAfter, int filesBefore,
        int filesAfter, int deletedFiles, long deletedBytes) {
}
