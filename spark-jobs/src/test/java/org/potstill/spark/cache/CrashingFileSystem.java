// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Abortable;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;
import org.potstill.spark.OtherLocalFileSystem;

/**
 * A local disk from which a process is cut off: the n-th step that would change something, and all that come after, fail and
 * change nothing. What was written to an open file is there, as far as it came.
 */
public class CrashingFileSystem extends OtherLocalFileSystem {
    private static final AtomicInteger STEPS_LEFT = new AtomicInteger(Integer.MAX_VALUE);

    /** Makes {@code crash://} and {@code objects://} known. */
    public static void register(Configuration hadoop) {
        hadoop.set("fs.crash.impl", CrashingFileSystem.class.getName());
        hadoop.set("fs.objects.impl", Objects.class.getName());
    }

    public static void crashAfter(int steps) {
        STEPS_LEFT.set(steps);
    }

    public static void recover() {
        STEPS_LEFT.set(Integer.MAX_VALUE);
    }

    public static boolean crashed() {
        return STEPS_LEFT.get() < 0;
    }

    private static void step() throws IOException {
        if (STEPS_LEFT.updateAndGet(left -> left == Integer.MAX_VALUE ? left : left - 1) < 0) {
            throw new IOException("crashed");
        }
    }

    @Override
    public URI getUri() {
        return URI.create("crash:///");
    }

    @Override
    public FSDataOutputStream create(Path path, FsPermission permission, boolean overwrite, int buffer, short replication,
            long block, Progressable progress) throws IOException {
        return create(path, overwrite, buffer, replication, block, progress);
    }

    @Override
    public FSDataOutputStream create(Path path, boolean overwrite, int buffer, short replication, long block, Progressable progress)
            throws IOException {
        step();
        // By one byte at a time: nothing waits in a buffer for the end.
        return new FSDataOutputStream(closing(super.create(path, overwrite, 1, replication, block, progress)), null);
    }

    private static OutputStream closing(OutputStream out) {
        return new FilterOutputStream(out) {
            @Override
            public void write(byte[] bytes, int begin, int length) throws IOException {
                out.write(bytes, begin, length);
            }

            @Override
            public void close() throws IOException {
                step();
                out.close();
            }
        };
    }

    @Override
    public boolean rename(Path from, Path to) throws IOException {
        step();
        return super.rename(from, to);
    }

    @Override
    public boolean delete(Path path, boolean recursive) throws IOException {
        step();
        return super.delete(path, recursive);
    }

    @Override
    public boolean mkdirs(Path path) throws IOException {
        step();
        return super.mkdirs(path);
    }

    /** The same for an object store: an object is there from the close of its stream on, and not before. */
    public static final class Objects extends CrashingFileSystem {
        @Override
        public URI getUri() {
            return URI.create("objects:///");
        }

        @Override
        public boolean hasPathCapability(Path path, String capability) throws IOException {
            return capability.equals(CommonPathCapabilities.ABORTABLE_STREAM) || super.hasPathCapability(path, capability);
        }

        @Override
        public FSDataOutputStream create(Path path, boolean overwrite, int buffer, short replication, long block,
                Progressable progress) throws IOException {
            Path upload = new Path(path.getParent(), ".upload-" + System.nanoTime());
            return new FSDataOutputStream(new Upload(super.create(upload, overwrite, buffer, replication, block, progress), this, upload, path),
                    null);
        }
    }

    private static final class Upload extends FilterOutputStream implements Abortable {
        private final FileSystem fs;
        private final Path upload;
        private final Path target;

        Upload(OutputStream out, FileSystem fs, Path upload, Path target) {
            super(out);
            this.fs = fs;
            this.upload = upload;
            this.target = target;
        }

        @Override
        public void write(byte[] bytes, int begin, int length) throws IOException {
            out.write(bytes, begin, length);
        }

        @Override
        public void close() throws IOException {
            out.close();
            fs.rename(upload, target);
        }

        @Override
        public AbortableResult abort() {
            return null;
        }
    }
}
