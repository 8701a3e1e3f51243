// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.storage;

import java.io.IOException;
import java.util.Locale;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.UnsupportedFileSystemException;

/**
 * A file that appears atomically: complete or not at all.
 *
 * <p>File systems (local, HDFS) show a file from its first byte, so it is written as {@code _incoming-…} in the same folder, synced
 * to disk and renamed. Object stores have no atomic rename but show an object only once its stream is closed, so it is written under
 * its final name; an incomplete stream is aborted or, if the store does not support that, never closed. A killed writer leaves an
 * {@code _incoming-} file, or parts of an upload that no listing shows (S3A removes them with {@code fs.s3a.multipart.purge}).
 */
final class AtomicFile implements AutoCloseable {
    static final String INCOMING = "_incoming-";
    /**
     * Schemes of object stores that are not recognised by abortable streams, as S3A's are. Not Azure's (abfs, wasb), whose connectors create an
     * empty file first, nor Databricks' (dbfs), which are Azure's in part: a killed writer would leave half a file under its final name.
     */
    private static final Set<String> OBJECT_STORES = Set.of("s3", "s3n", "gs", "oss", "cosn", "obs");

    private final FileSystem fs;
    private final Path target;
    private final Path written;
    private final FSDataOutputStream out;
    private boolean closed;

    private AtomicFile(FileSystem fs, Path target, Path written) throws IOException {
        this.fs = fs;
        this.target = target;
        this.written = written;
        this.out = fs.create(written, true);
    }

    /** Begins a new file; an existing file of the same name is assumed to have the same content. */
    static AtomicFile create(FileSystem fs, Path target) throws IOException {
        return new AtomicFile(fs, target, isObjectStore(fs, target) ? target : incoming(target));
    }

    /** Begins a file that replaces another, atomically if the file system supports it. */
    static AtomicFile replace(FileSystem fs, Path target) throws IOException {
        return new AtomicFile(fs, target, isObjectStore(fs, target) || !replaces(fs, target) ? target : incoming(target));
    }

    static boolean isObjectStore(FileSystem fs, Path path) throws IOException {
        String scheme = fs.getUri().getScheme();
        return fs.hasPathCapability(path, CommonPathCapabilities.ABORTABLE_STREAM)
                || scheme != null && OBJECT_STORES.contains(scheme.toLowerCase(Locale.ROOT));
    }

    /** Whether the file system can rename over an existing file, which one without a {@link FileContext} cannot. */
    private static boolean replaces(FileSystem fs, Path target) throws IOException {
        try {
            return fs instanceof RawLocalFileSystem || FileContext.getFileContext(target.toUri(), fs.getConf()) != null;
        } catch (UnsupportedFileSystemException e) {
            return false;
        }
    }

    private static Path incoming(Path target) {
        return new Path(target.getParent(), INCOMING + UUID.randomUUID());
    }

    FSDataOutputStream out() {
        return out;
    }

    /** Completes the file and makes it appear, unless one of its name exists. */
    void publish() throws IOException {
        finish();
        if (written.equals(target)) {
            return;
        }
        try {
            if (fs.exists(target) || !fs.rename(written, target)) {
                throw new FileAlreadyExistsException(target.toString());
            }
        } catch (IOException e) {
            // Some file systems return false, others throw; either way, another task may have been faster.
            if (!fs.exists(target)) {
                throw e instanceof FileAlreadyExistsException ? new IOException("cannot rename " + written + " to " + target) : e;
            }
            fs.delete(written, false);
        }
    }

    /** Completes the file and makes it replace any file of its name. */
    void publishOver() throws IOException {
        finish();
        if (!written.equals(target)) {
            rename(fs, written, target);
        }
    }

    /** Renames atomically, replacing any existing file. */
    private static void rename(FileSystem fs, Path from, Path to) throws IOException {
        if (fs instanceof RawLocalFileSystem) {
            // On a local disk FileContext would first delete the target, whereas the operating system's rename replaces it.
            if (!fs.rename(from, to)) {
                throw new IOException("cannot rename " + from + " to " + to);
            }
            return;
        }
        FileContext.getFileContext(to.toUri(), fs.getConf()).rename(from, to, Options.Rename.OVERWRITE);
    }

    private void finish() throws IOException {
        if (!written.equals(target) && out.hasCapability(StreamCapabilities.HSYNC)) {
            // Otherwise a power failure could leave a renamed file without its data.
            out.hsync();
        }
        out.close();
        closed = true;
    }

    /** Discards the file if it was not published. */
    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        if (!written.equals(target)) {
            try {
                out.close();
            } finally {
                fs.delete(written, false);
            }
        } else if (fs.hasPathCapability(target, CommonPathCapabilities.ABORTABLE_STREAM)) {
            out.abort();
        }
    }
}
