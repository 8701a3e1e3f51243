// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.FileSystems;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.server.ServerKey;
import org.potstill.teacher.server.ServerModel;
import org.potstill.teacher.server.ServerOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Location of the teacher and options with which executors run it.
 *
 * @param uri     Hadoop path of the checkpoint, or of the tokenizer of a server's model: a file or a folder
 * @param scratch node-local folder for fetched and compiled files
 * @param engine  inference engine
 * @param device  device to run on
 * @param precision precision of the computation
 * @param threads CPU threads; 0 for all cores of the executor
 * @param targets which part of its distributions to return
 * @param server  the server that runs it; null if executors do
 */
public record TeacherSource(String uri, String scratch, TeacherOptions.Engine engine, TeacherOptions.Device device,
        Precision precision, int threads, TargetSpec targets, ServerOptions server) implements Serializable {
    private static final Logger LOG = LoggerFactory.getLogger(TeacherSource.class);

    public static TeacherSource of(Settings settings) {
        return new TeacherSource(absolute(settings.required("teacher.path"), settings), settings.required("teacher.scratch"),
                settings.choice("teacher.engine", TeacherOptions.Engine.class),
                settings.choice("teacher.device", TeacherOptions.Device.class),
                settings.choice("teacher.precision", Precision.class), settings.integer("teacher.threads", 0, 1024),
                settings.targetSpec(), server(settings));
    }

    /** Makes the source of a teacher that executors run. */
    public TeacherSource(String uri, String scratch, TeacherOptions.Engine engine, TeacherOptions.Device device, Precision precision,
            int threads, TargetSpec targets) {
        this(uri, scratch, engine, device, precision, threads, targets, null);
    }

    /** Returns whether a server runs the teacher. */
    public static boolean isServed(Settings settings) {
        return !settings.string("teacher.url").isBlank();
    }

    private static ServerOptions server(Settings settings) {
        int requests = settings.integer("teacher.requests", 1, 1024);
        Duration requestLimit = Duration.ofSeconds(settings.integer("teacher.request-seconds", 1, 86_400));
        Duration retryLimit = Duration.ofSeconds(settings.integer("teacher.retry-seconds", 0, 604_800));
        String url = settings.string("teacher.url");
        if (!isServed(settings)) {
            return null;
        }
        Optional<String> misfit = ServerOptions.misfit(url);
        if (misfit.isPresent()) {
            settings.reject("teacher.url", misfit.get());
            return null;
        }
        // Read here alone: executors get the key with their tasks.
        return new ServerOptions(ServerOptions.parse(url), settings.string("teacher.model"), ServerKey.of(System.getenv(), settings.teacher()), requests, requestLimit,
                retryLimit);
    }

    /** Makes a local path absolute, as executors have other working directories. */
    private static String absolute(String uri, Settings settings) {
        if (uri.isBlank()) {
            return uri;
        }
        try {
            org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(uri);
            return path.isAbsolute() ? uri : path.getFileSystem(FileSystems.configuration(settings.spark())).makeQualified(path).toString();
        } catch (IllegalArgumentException e) {
            // Not a path, which Platform refuses.
            return uri;
        } catch (IOException e) {
            throw JobErrors.unreadableModel("teacher.path", uri, e);
        }
    }

    /**
     * Returns the options for one executor.
     *
     * @param cores the executor's cores, which set the number of threads if none is configured
     * @param gpu   index of the GPU, if it runs on one
     */
    public TeacherOptions options(int cores, int gpu) {
        return new TeacherOptions(engine, device, gpu, precision, threads(cores), Path.of(scratch), targets);
    }

    /** Opens the teacher, or the description of the one that a server runs. */
    public CausalLm model(Configuration hadoop) {
        Path path = localPath(hadoop);
        return server == null ? Teachers.model(path) : ServerModel.open(path, server);
    }

    /** Returns the server's name for the teacher, if it is set, or the name of its file or folder, without the path. */
    public String name() {
        return server != null && !server.model().isEmpty() ? server.model() : new org.apache.hadoop.fs.Path(uri).getName();
    }

    /**
     * Returns the fingerprint of the weights and, unless it is FP32, the precision: the same weights in another precision give
     * other outputs and have other keys in the cache.
     */
    public String fingerprint(CausalLm model) {
        return precision == Precision.FP32 ? model.fingerprint() : Sha256.of(model.fingerprint() + "\n" + precision);
    }

    /** Checks that a model is the one that the driver saw. */
    public void require(String fingerprint, CausalLm model) {
        if (!fingerprint(model).equals(fingerprint)) {
            throw JobErrors.teacherDiffers(uri, fingerprint, fingerprint(model));
        }
    }

    /** Returns whether executors write answers on GPUs: they do so in half precision, and in others on the CPU. */
    public boolean writesOnGpu() {
        return server == null && precision == Precision.FP16;
    }

    public int threads(int cores) {
        return threads > 0 ? threads : cores;
    }

    /** Logs what the user should know of how a model is read. */
    public static void warnOf(CausalLm model) {
        if (!model.warning().isEmpty()) {
            LOG.warn("{}", model.warning());
        }
    }

    public Path localPath(Configuration hadoop) {
        return localPath("teacher.path", uri, scratch, hadoop);
    }

    /**
     * Returns a local path of a model: the path itself if it is local, otherwise that of a copy, fetched once per node.
     *
     * @param setting name of the setting that holds the path, for messages
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
