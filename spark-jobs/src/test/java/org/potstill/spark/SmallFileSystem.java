// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FsStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/** A local disk, {@code small://}, on which only so many bytes can still be written. */
public class SmallFileSystem extends OtherLocalFileSystem {
    private static final AtomicLong FREE = new AtomicLong(Long.MAX_VALUE);
    private static long told = Long.MAX_VALUE;

    public static void register(Configuration hadoop) {
        hadoop.set("fs.small.impl", SmallFileSystem.class.getName());
    }

    /**
     * Sets the free space.
     *
     * @param told what the file system says that it is
     */
    public static synchronized void free(long bytes, long told) {
        FREE.set(bytes);
        SmallFileSystem.told = told;
    }

    @Override
    public URI getUri() {
        return URI.create("small:///");
    }

    @Override
    public FsStatus getStatus(Path path) {
        synchronized (SmallFileSystem.class) {
            return new FsStatus(Long.MAX_VALUE, 0, told);
        }
    }

    @Override
    public FSDataOutputStream create(Path path, FsPermission permission, boolean overwrite, int buffer, short replication,
            long block, Progressable progress) throws IOException {
        return create(path, overwrite, buffer, replication, block, progress);
    }

    @Override
    public FSDataOutputStream create(Path path, boolean overwrite, int buffer, short replication, long block, Progressable progress)
            throws IOException {
        OutputStream out = super.create(path, overwrite, 1, replication, block, progress);
        return new FSDataOutputStream(new FilterOutputStream(out) {
            @Override
            public void write(byte[] bytes, int begin, int length) throws IOException {
                if (FREE.addAndGet(-length) < 0) {
                    throw new IOException("No space left on device");
                }
                out.write(bytes, begin, length);
            }
        }, null);
    }
}
