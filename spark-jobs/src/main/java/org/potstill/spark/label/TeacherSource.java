package org.potstill.spark.label;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.potstill.errors.UserException;
import org.potstill.spark.Settings;
import org.potstill.teacher.TeacherOptions;

/**
 * Where the teacher is and how executors run it.
 *
 * @param uri     Hadoop path of the checkpoint
 * @param scratch node-local folder for what is fetched and compiled
 * @param device  to run on
 * @param threads CPU threads; 0 for all cores of the executor
 */
public record TeacherSource(String uri, String scratch, TeacherOptions.Device device, int threads) implements Serializable {
    public static TeacherSource of(Settings settings) {
        return new TeacherSource(settings.required("teacher.path"), settings.required("teacher.scratch"),
                settings.choice("teacher.device", TeacherOptions.Device.class), settings.integer("teacher.threads", 0, 1024));
    }

    /**
     * @param cores of this executor, the threads of an engine for which none are set
     * @param gpu   number of the GPU, where it runs on one
     */
    public TeacherOptions options(int cores, int gpu) {
        return new TeacherOptions(device, gpu, threads(cores), Path.of(scratch));
    }

    public int threads(int cores) {
        return threads > 0 ? threads : cores;
    }

    /** A local path is used in place; anything else is fetched once per node. */
    public Path localPath(Configuration hadoop) {
        try {
            org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(uri);
            FileSystem fs = path.getFileSystem(hadoop);
            FileStatus status = fs.getFileStatus(path);
            if (fs instanceof LocalFileSystem local) {
                return local.pathToFile(path).toPath();
            }
            return fetch(fs, status);
        } catch (IOException | IllegalArgumentException e) {
            throw new UserException("cannot read the teacher " + uri + " on " + java.net.InetAddress.getLoopbackAddress().getHostName(),
                    String.valueOf(e.getMessage()),
                    "check teacher.path: every executor must see it (a shared mount, HDFS or S3), and its user must have the right to read it", e);
        }
    }

    private Path fetch(FileSystem fs, FileStatus status) throws IOException {
        // Another length or time of change is another file: a replaced teacher is fetched again.
        String name = Integer.toHexString(fs.makeQualified(status.getPath()).toString().hashCode()) + "-"
                + status.getLen() + "-" + status.getModificationTime();
        Path folder = Files.createDirectories(Path.of(scratch).resolve("fetched"));
        Path target = folder.resolve(name + "-" + status.getPath().getName());
        try (FileChannel lock = FileChannel.open(folder.resolve(name + ".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                var held = lock.lock()) {
            if (!Files.exists(target) || Files.size(target) != status.getLen()) {
                Path incoming = folder.resolve(name + ".incoming");
                fs.copyToLocalFile(false, status.getPath(), new org.apache.hadoop.fs.Path(incoming.toUri()), true);
                Files.move(incoming, target, StandardCopyOption.ATOMIC_MOVE);
            }
            return target;
        } catch (java.nio.channels.OverlappingFileLockException e) {
            throw new UncheckedIOException(new IOException("two threads of one JVM fetch the teacher", e));
        }
    }
}
