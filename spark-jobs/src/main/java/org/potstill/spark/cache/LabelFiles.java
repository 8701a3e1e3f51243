// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.potstill.checkpoints.io.Sha256;

/**
 * The label files of a store that are not hidden. As long as they are there, so are the labels of all keys that were found in them.
 *
 * @param generation see {@link Tombstones#generation}, before the files were listed
 * @param lengths    lengths by name
 */
record LabelFiles(String generation, Map<String, Long> lengths) {
    static LabelFiles of(String generation, List<FileStatus> files) {
        Map<String, Long> lengths = new TreeMap<>();
        files.forEach(file -> lengths.put(file.getPath().getName(), file.getLen()));
        return new LabelFiles(generation, lengths);
    }

    /** Identifies the files. */
    String digest() {
        return Sha256.of(generation + lengths);
    }

    /** Whether all files of an earlier time are still there, and nothing was hidden since. */
    boolean contains(LabelFiles earlier) {
        return generation.equals(earlier.generation) && lengths.entrySet().containsAll(earlier.lengths.entrySet());
    }
}
