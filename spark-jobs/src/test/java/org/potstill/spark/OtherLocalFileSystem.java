// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.IOException;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/** A local disk under a scheme other than {@code file}, for tests that make it misbehave. */
public abstract class OtherLocalFileSystem extends RawLocalFileSystem {
    /** Lists plain statuses: the local file system's own find a file's owner only under its own scheme. */
    @Override
    public FileStatus[] listStatus(Path path) throws IOException {
        return Stream.of(super.listStatus(path)).map(file -> new FileStatus(file.getLen(), file.isDirectory(), file.getReplication(),
                file.getBlockSize(), file.getModificationTime(), file.getPath())).toArray(FileStatus[]::new);
    }
}
