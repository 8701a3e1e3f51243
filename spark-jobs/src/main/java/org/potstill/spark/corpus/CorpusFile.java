// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.io.Serializable;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumFileSystem;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.util.functional.FutureIO;

/**
 * A file of the corpus as it was listed.
 *
 * @param path     qualified path, never a pattern
 * @param bytes    length of the file
 * @param modified when it was modified, in milliseconds since 1970
 * @param problem  why it cannot be read, if listing found out; else null
 */
record CorpusFile(String path, long bytes, long modified, String problem) implements Serializable {
    CorpusFile(String path, long bytes, long modified) {
        this(path, bytes, modified, null);
    }

    /** Returns {@link CorpusPart#number}. */
    long number() {
        return CorpusPart.number(path);
    }

    /**
     * Opens the file.
     *
     * @throws StoreFailure if the file system fails in a way that may be temporary; so do the stream's methods
     */
    FSDataInputStream open(Configuration hadoop) throws IOException {
        Path file = new Path(path);
        // The status saves an object store a request before reading.
        return new FSDataInputStream(new StoreInput(StoreFailure.ofStore(() -> FutureIO.awaitFuture(fileSystem(file, hadoop).openFile(file)
                .withFileStatus(new FileStatus(bytes, false, 1, 1, 0, file)).build()))));
    }

    /** Returns the file system without Hadoop's local checksum files, which cannot exist for names with a colon. */
    static FileSystem fileSystem(Path path, Configuration hadoop) throws IOException {
        FileSystem fs = path.getFileSystem(hadoop);
        return fs instanceof ChecksumFileSystem local ? local.getRawFileSystem() : fs;
    }

    String name() {
        return path.substring(path.lastIndexOf('/') + 1);
    }
}
