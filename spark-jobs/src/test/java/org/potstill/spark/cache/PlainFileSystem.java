// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * A file system, {@code dbfs:/}, with no more than volumes of Databricks offer: no append, no rename over a file, no {@code FileContext}, no sync.
 * Its files are those of the local disk, and show from their first byte.
 */
public class PlainFileSystem extends FileSystem {
    private static final URI ROOT = URI.create("dbfs:///");

    private final RawLocalFileSystem disk = new RawLocalFileSystem();

    @Override
    public void initialize(URI name, Configuration hadoop) throws IOException {
        super.initialize(name, hadoop);
        disk.initialize(URI.create("file:///"), hadoop);
    }

    @Override
    public URI getUri() {
        return ROOT;
    }

    private static Path local(Path path) {
        return new Path("file", null, path.toUri().getPath());
    }

    private static FileStatus ours(FileStatus file) {
        return new FileStatus(file.getLen(), file.isDirectory(), file.getReplication(), file.getBlockSize(), file.getModificationTime(),
                new Path("dbfs", null, file.getPath().toUri().getPath()));
    }

    @Override
    public FSDataInputStream open(Path path, int buffer) throws IOException {
        return disk.open(local(path), buffer);
    }

    @Override
    public FSDataOutputStream create(Path path, FsPermission permission, boolean overwrite, int buffer, short replication, long block,
            Progressable progress) throws IOException {
        OutputStream out = disk.create(local(path), overwrite, buffer, replication, block, progress);
        // A stream without the abilities of the local one.
        return new FSDataOutputStream(new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                out.write(b);
            }

            @Override
            public void write(byte[] bytes, int begin, int length) throws IOException {
                out.write(bytes, begin, length);
            }

            @Override
            public void flush() throws IOException {
                out.flush();
            }

            @Override
            public void close() throws IOException {
                out.close();
            }
        }, null);
    }

    @Override
    public FSDataOutputStream append(Path path, int buffer, Progressable progress) {
        throw new UnsupportedOperationException("append");
    }

    @Override
    public boolean rename(Path from, Path to) throws IOException {
        if (exists(to)) {
            throw new FileAlreadyExistsException(to.toString());
        }
        return disk.rename(local(from), local(to));
    }

    @Override
    public boolean delete(Path path, boolean recursive) throws IOException {
        return disk.delete(local(path), recursive);
    }

    @Override
    public FileStatus[] listStatus(Path path) throws IOException {
        return Stream.of(disk.listStatus(local(path))).map(PlainFileSystem::ours).toArray(FileStatus[]::new);
    }

    @Override
    public void setWorkingDirectory(Path path) {
        throw new UnsupportedOperationException("working directory");
    }

    @Override
    public Path getWorkingDirectory() {
        return new Path("dbfs:/");
    }

    @Override
    public boolean mkdirs(Path path, FsPermission permission) throws IOException {
        return disk.mkdirs(local(path));
    }

    @Override
    public FileStatus getFileStatus(Path path) throws IOException {
        return ours(disk.getFileStatus(local(path)));
    }
}
