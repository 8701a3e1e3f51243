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
 * @param path    qualified; a name, never a pattern
 * @param bytes   its length
 * @param problem why it cannot be read, where listing told; else null
 */
record CorpusFile(String path, long bytes, String problem) implements Serializable {
    CorpusFile(String path, long bytes) {
        this(path, bytes, null);
    }

    /** @throws StoreFailure when the file system fails in a way that may pass; so do the stream's methods */
    FSDataInputStream open(Configuration hadoop) throws IOException {
        Path file = new Path(path);
        try {
            // With the status there is nothing left to ask an object store before reading.
            return new FSDataInputStream(new StoreInput(FutureIO.awaitFuture(fileSystem(file, hadoop).openFile(file)
                    .withFileStatus(new FileStatus(bytes, false, 1, 1, 0, file)).build())));
        } catch (IOException e) {
            throw StoreFailure.of(e);
        }
    }

    /** Without Hadoop's checksums beside local files: it cannot name those of a file with a colon in its name. */
    static FileSystem fileSystem(Path path, Configuration hadoop) throws IOException {
        FileSystem fs = path.getFileSystem(hadoop);
        return fs instanceof ChecksumFileSystem local ? local.getRawFileSystem() : fs;
    }

    String name() {
        return path.substring(path.lastIndexOf('/') + 1);
    }
}
