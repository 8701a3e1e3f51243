package org.potstill.spark.label;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Precision;
import org.potstill.checkpoints.Sha256;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Sessions;
import org.potstill.spark.Settings;
import org.potstill.teacher.TeacherOptions;

/**
 * Where the teacher is and how executors run it.
 *
 * @param uri     Hadoop path of the checkpoint: a file or a folder
 * @param scratch node-local folder for what is fetched and compiled
 * @param engine  that computes
 * @param device  to run on
 * @param precision in which it computes
 * @param threads CPU threads; 0 for all cores of the executor
 * @param targets what is wanted of its distributions
 */
public record TeacherSource(String uri, String scratch, TeacherOptions.Engine engine, TeacherOptions.Device device,
        Precision precision, int threads, TargetSpec targets) implements Serializable {
    public static TeacherSource of(Settings settings) {
        return new TeacherSource(absolute(settings.required("teacher.path"), settings), settings.required("teacher.scratch"),
                settings.choice("teacher.engine", TeacherOptions.Engine.class),
                settings.choice("teacher.device", TeacherOptions.Device.class),
                settings.choice("teacher.precision", Precision.class), settings.integer("teacher.threads", 0, 1024),
                settings.targetSpec());
    }

    /** Executors have other working folders. */
    private static String absolute(String uri, Settings settings) {
        if (uri.isBlank()) {
            return uri;
        }
        try {
            org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(uri);
            return path.isAbsolute() ? uri : path.getFileSystem(Sessions.hadoop(settings)).makeQualified(path).toString();
        } catch (IOException | IllegalArgumentException e) {
            throw JobErrors.unreadableModel("teacher.path", uri, e);
        }
    }

    /**
     * @param cores of this executor, the threads of an engine for which none are set
     * @param gpu   number of the GPU, where it runs on one
     */
    public TeacherOptions options(int cores, int gpu) {
        return new TeacherOptions(engine, device, gpu, precision, threads(cores), Path.of(scratch), targets);
    }

    /** Of its file or folder, without the path. */
    public String name() {
        return new org.apache.hadoop.fs.Path(uri).getName();
    }

    /**
     * Of the teacher as it computes: what the same weights say in other numbers is not the same, and has other keys in
     * the cache.
     */
    public String fingerprint(CausalLm model) {
        return precision == Precision.FP32 ? model.fingerprint() : Sha256.of(model.fingerprint() + "\n" + precision);
    }

    public int threads(int cores) {
        return threads > 0 ? threads : cores;
    }

    public Path localPath(Configuration hadoop) {
        return localPath("teacher.path", uri, scratch, hadoop);
    }

    /**
     * A local path is used in place; anything else is fetched once per node.
     *
     * @param setting that says where the model is, for messages
     * @param uri     Hadoop path of a file or a folder
     */
    public static Path localPath(String setting, String uri, String scratch, Configuration hadoop) {
        try {
            org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(uri);
            FileSystem fs = path.getFileSystem(hadoop);
            FileStatus status = fs.getFileStatus(path);
            if (fs instanceof LocalFileSystem local) {
                return local.pathToFile(path).toPath();
            }
            return new TeacherFetch(fs, Path.of(scratch)).fetch(status);
        } catch (IOException | IllegalArgumentException e) {
            throw JobErrors.unreadableModel(setting, uri, e);
        }
    }
}
