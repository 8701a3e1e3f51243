// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.util.ShutdownHookManager;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.FileSystems;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.StudentFolder;
import org.potstill.spark.train.TrainSummary;
import org.potstill.spark.train.TrainedRound;

/**
 * The record of a job on an MLflow server: a run below the run of the distillation, which the jobs with the same {@code cache.path},
 * {@code student.path} and {@code mlflow.run-name} share. Without {@code mlflow.uri} it is nothing.
 */
public final class JobRun implements AutoCloseable {
    /** Tag of the parent run by which the next job finds it. */
    private static final String DISTILLATION = "potstill.distillation";
    private static final String PARENT = "mlflow.parentRunId";
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Duration STALL = Duration.ofSeconds(20);

    private final String job;
    private final Settings settings;
    private final Configuration hadoop;
    private final TrackingSettings tracking;
    private final MlflowServer server;
    private final Artifacts artifacts;
    private final Recorder recorder;
    private final List<Runnable> last = new ArrayList<>();
    private String experiment;
    private MlflowServer.Run parent;
    private MlflowServer.Run run;
    private boolean done;

    /**
     * @param limit of the time for a request
     * @param stall how long the end waits for a server that makes no progress
     */
    JobRun(String job, Settings settings, Configuration hadoop, Duration limit, Duration stall) {
        this.job = job;
        this.settings = settings;
        this.hadoop = hadoop;
        this.tracking = TrackingSettings.of(settings);
        if (tracking.uri().isEmpty()) {
            this.server = null;
            this.artifacts = null;
            this.recorder = null;
            return;
        }
        TrackingKey key = TrackingKey.of(System.getenv(), tracking.isDatabricks());
        this.server = new MlflowServer(tracking.server(), key, limit);
        this.recorder = new Recorder(tracking.uri(), stall, this::start, figures -> server.logMetrics(run, figures));
        this.artifacts = new Artifacts(server, key, hadoop, recorder::progressed);
    }

    /**
     * Begins the record of a job, without waiting for the server.
     *
     * @param job name of the run
     */
    public static JobRun begin(String job, Settings settings, Configuration hadoop) {
        return new JobRun(job, settings, hadoop, LIMIT, STALL);
    }

    /** Validates the settings. */
    public static void check(Settings settings) {
        TrackingSettings.of(settings);
    }

    /** Records a round of training. */
    public void learnt(TrainedRound round) {
        add(RunFigures.of(round), round.rounds());
    }

    /**
     * Records a job's result.
     *
     * @param summary what the report shows of it
     * @param page    path of the report, a file of the report's folder
     */
    public void done(Object summary, String page) {
        done = true;
        if (recorder == null) {
            return;
        }
        add(RunFigures.of(summary), 0);
        last.add(() -> server.logTags(run, origin(summary)));
        Path report = new Path(page);
        for (String name : new String[] {report.getName(), Report.DATA}) {
            last.add(() -> artifacts.upload(parent.artifacts(), name, new Path(report.getParent(), name)));
        }
        if (summary instanceof TrainSummary train && tracking.logStudent()) {
            Stream.concat(StudentFolder.MODEL.stream(), Stream.of(StudentFolder.PROVENANCE)).forEach(name ->
                    last.add(() -> artifacts.upload(run.artifacts(), "student/" + name, new Path(train.student(), name))));
        }
    }

    /** Ends the record, as a failure unless there was a result. */
    @Override
    public void close() {
        if (recorder == null) {
            return;
        }
        MlflowServer.Status status = done ? MlflowServer.Status.FINISHED
                : ShutdownHookManager.get().isShutdownInProgress() ? MlflowServer.Status.KILLED : MlflowServer.Status.FAILED;
        last.add(() -> server.setStatus(run, status));
        last.add(() -> server.setStatus(parent, status));
        recorder.end(last);
    }

    private void add(Map<String, Double> figures, long step) {
        if (recorder != null) {
            long now = System.currentTimeMillis();
            figures.forEach((name, value) -> recorder.add(new MlflowServer.Figure(name, value, step, now)));
        }
    }

    /** Begins the run; goes on where an earlier attempt failed. */
    private void start() {
        if (experiment == null) {
            experiment = server.experiment(tracking.experiment());
        }
        String key = key();
        if (parent == null) {
            parent = server.find(experiment, DISTILLATION, key).orElseGet(() -> server.create(experiment, name(), tags(Map.of(DISTILLATION, key))));
        }
        server.setStatus(parent, MlflowServer.Status.RUNNING);
        if (run == null) {
            run = server.create(experiment, job, tags(Map.of(PARENT, parent.id(), "potstill.job", job)));
        }
        SortedMap<String, String> params = settings.given();
        params.keySet().removeIf(setting -> setting.startsWith("mlflow."));
        server.logParams(run, params);
    }

    private Map<String, String> tags(Map<String, String> own) {
        Map<String, String> tags = new LinkedHashMap<>(own);
        tags.put("mlflow.user", System.getProperty("user.name"));
        tags.put("mlflow.source.name", "potstill " + job);
        tags.put("mlflow.source.type", "JOB");
        tags.put("potstill.version", Versions.potstill());
        places().forEach((setting, path) -> tags.put("potstill." + setting, path));
        return tags;
    }

    private String name() {
        Map<String, String> places = places();
        String path = places.getOrDefault("student.path", places.values().stream().findFirst().orElse("potstill"));
        return tracking.runName().isEmpty() ? new Path(path).getName() : tracking.runName();
    }

    /** Returns the hash of what the jobs of a distillation have in common. */
    private String key() {
        StringBuilder common = new StringBuilder(tracking.runName());
        places().forEach((setting, path) -> common.append('\n').append(setting).append('=').append(path));
        return Sha256.of(common.toString());
    }

    /** Returns where the distillation is: one spelling for each path. */
    private Map<String, String> places() {
        Map<String, String> places = new TreeMap<>();
        for (List<String> keys : List.of(List.of("cache.path", "student.path"), List.of("prune.path", "write.path"))) {
            if (places.isEmpty()) {
                keys.stream().filter(key -> !settings.string(key).isBlank()).forEach(key -> places.put(key, FileSystems.canonical(
                        new Path(settings.string(key)).makeQualified(FileSystem.getDefaultUri(hadoop), new Path(System.getProperty("user.dir")))).toString()));
            }
        }
        return places;
    }

    /** Returns what a result was made from. */
    private Map<String, String> origin(Object summary) {
        Map<String, String> tags = new TreeMap<>();
        try {
            if (summary instanceof LabelSummary label) {
                JsonNode provenance = new HadoopFolder("cache", label.cache(), hadoop).readJson(StudentFolder.PROVENANCE);
                tags.put("potstill.teacher", label.teacher());
                tags.put("potstill.corpus", label.source().toString());
                fingerprints(provenance, tags);
            } else if (summary instanceof TrainSummary train) {
                JsonNode provenance = new StudentFolder(new HadoopFolder("student", train.student(), hadoop)).provenance();
                tags.put("potstill.snapshot", provenance.path("corpus").path("id").asText());
                fingerprints(provenance, tags);
            }
        } catch (UserException e) {
            throw new UnrecordedException(e.problem(), true);
        }
        return tags;
    }

    private static void fingerprints(JsonNode provenance, Map<String, String> tags) {
        for (String part : new String[] {"teacher", "tokenizer"}) {
            String fingerprint = provenance.path(part).path("fingerprint").asText();
            if (!fingerprint.isEmpty()) {
                tags.put("potstill." + part + ".fingerprint", fingerprint);
            }
        }
    }
}
