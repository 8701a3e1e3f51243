package org.potstill.spark;

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
 * A file that appears whole or not at all.
 *
 * <p>A file system (local, HDFS) shows a file from its first byte on: it is written as {@code _incoming-…} beside its
 * place, brought to the disk and renamed. An object store has no such rename, but shows an object only once its stream
 * is closed: it is written under its own name, and a stream that did not come to its end is aborted, or where the store
 * knows no abort never closed. What a killed writer leaves is an {@code _incoming-} file, or parts of an upload that no
 * listing shows (S3A removes them with {@code fs.s3a.multipart.purge}).
 */
final class WholeFile implements AutoCloseable {
    static final String INCOMING = "_incoming-";
    /** Object stores whose streams cannot say that they are: those of S3A can be aborted, and say so. */
    private static final Set<String> OBJECT_STORES = Set.of("s3", "s3n", "gs", "oss", "cosn", "obs");

    private final FileSystem fs;
    private final Path target;
    private final Path written;
    private final FSDataOutputStream out;
    private boolean closed;

    private WholeFile(FileSystem fs, Path target, Path written) throws IOException {
        this.fs = fs;
        this.target = target;
        this.written = written;
        this.out = fs.create(written, true);
    }

    /** Begins a file that is to appear under a name of its own: where there is one already, it holds the same. */
    static WholeFile create(FileSystem fs, Path target) throws IOException {
        return new WholeFile(fs, target, isObjectStore(fs, target) ? target : incoming(target));
    }

    /** Begins a file that is to take another's place in one step, where the file system can do that. */
    static WholeFile replace(FileSystem fs, Path target) throws IOException {
        return new WholeFile(fs, target, isObjectStore(fs, target) || !replaces(fs, target) ? target : incoming(target));
    }

    static boolean isObjectStore(FileSystem fs, Path path) throws IOException {
        String scheme = fs.getUri().getScheme();
        return fs.hasPathCapability(path, CommonPathCapabilities.ABORTABLE_STREAM)
                || scheme != null && OBJECT_STORES.contains(scheme.toLowerCase(Locale.ROOT));
    }

    /** Whether it has a rename over an existing file. What only {@link FileSystem} knows has none. */
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

    /** The file is whole: it appears, unless there is one of its name. */
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
            // Some file systems return false where others throw: another task may have been faster.
            if (!fs.exists(target)) {
                throw e instanceof FileAlreadyExistsException ? new IOException("cannot rename " + written + " to " + target) : e;
            }
            fs.delete(written, false);
        }
    }

    /** The file is whole: it appears in place of the one of its name. */
    void publishOver() throws IOException {
        finish();
        if (!written.equals(target)) {
            rename(fs, written, target);
        }
    }

    /** Renames over what may be there, in one step. */
    private static void rename(FileSystem fs, Path from, Path to) throws IOException {
        if (fs instanceof RawLocalFileSystem) {
            // FileContext would delete first on a local disk, where the system's own rename replaces.
            if (!fs.rename(from, to)) {
                throw new IOException("cannot rename " + from + " to " + to);
            }
            return;
        }
        FileContext.getFileContext(to.toUri(), fs.getConf()).rename(from, to, Options.Rename.OVERWRITE);
    }

    private void finish() throws IOException {
        if (!written.equals(target) && out.hasCapability(StreamCapabilities.HSYNC)) {
            // Else a file could be renamed and lose its bytes with the machine's power.
            out.hsync();
        }
        out.close();
        closed = true;
    }

    /** Takes back what was not published. */
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
