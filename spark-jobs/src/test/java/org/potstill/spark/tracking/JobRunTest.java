// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Property;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.Eventually;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.train.TrainJob;
import org.potstill.spark.train.TrainSummary;
import org.potstill.spark.train.TrainedRound;
import org.potstill.student.loss.StepLoss;

class JobRunTest {
    private static final Duration SHORT = Duration.ofSeconds(1);
    /** More than any answer takes, even if the machine is busy. */
    private static final Duration LONG = Duration.ofSeconds(60);

    @TempDir
    private static Path folder;
    private static Distillery distillery;

    private final List<String> warnings = new ArrayList<>();
    private final AbstractAppender appender = new AbstractAppender("warnings", null, null, false, Property.EMPTY_ARRAY) {
        @Override
        public void append(LogEvent event) {
            synchronized (warnings) {
                warnings.add(event.getMessage().getFormattedMessage());
            }
        }
    };

    @BeforeAll
    static void label() {
        distillery = new Distillery(folder);
        Distillery.spark();
    }

    @BeforeEach
    void listen() {
        appender.start();
        logger().addAppender(appender);
    }

    @AfterEach
    void stopListening() {
        logger().removeAppender(appender);
    }

    private static Logger logger() {
        return (Logger) LogManager.getLogger(Recorder.class);
    }

    private static Settings settings(String uri, String... more) {
        List<String> all = new ArrayList<>(List.of(more));
        all.add("mlflow.uri=" + uri);
        return distillery.settings(all.toArray(String[]::new));
    }

    private static Configuration hadoop() {
        return Distillery.spark().sparkContext().hadoopConfiguration();
    }

    private static JobRun begin(String job, Settings settings) {
        return new JobRun(job, settings, hadoop(), LONG, LONG);
    }

    private static TrainedRound round(int number) {
        return new TrainedRound(number, new StepLoss(3, 2, 4, 100), 0.1, 1.5, 1000, 0.3, 0, 0.1, 0);
    }

    private static String closedPort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return "http://localhost:" + socket.getLocalPort();
        }
    }

    @Test
    void aParentHasTheRunsOfLabelAndTrainWithTheirFiguresAndFiles() throws IOException {
        try (TrackingServer server = new TrackingServer()) {
            Settings settings = settings(server.uri(), "mlflow.experiment=tests", "mlflow.run-name=tiny", "hardware.price-per-hour=2", "spark.hadoop.fs.s3a.secret.key=not-to-be-seen");
            Report report = new Report(settings, hadoop());
            LabelSummary label;
            try (JobRun record = JobRun.begin("label", settings, hadoop())) {
                label = new LabelJob(Distillery.spark(), settings).run();
                record.done(label, report.put("label", label));
            }
            TrainSummary train;
            try (JobRun record = JobRun.begin("train", settings, hadoop())) {
                train = new TrainJob(Distillery.spark(), settings, record::learnt).run();
                record.done(train, report.put("train", train));
            }
            JsonNode parent = server.runs("tiny").get(0);
            JsonNode labelled = server.runs("label").get(0);
            JsonNode trained = server.runs("train").get(0);
            assertEquals(1, server.runs("tiny").size());
            for (JsonNode run : List.of(labelled, trained)) {
                assertEquals(parent.path("info").path("run_id").asText(), TrackingServer.tag(run, "mlflow.parentRunId"));
                assertEquals("FINISHED", run.path("info").path("status").asText());
                assertEquals("32", TrackingServer.param(run, "sequence-length"));
                assertEquals(64, TrackingServer.tag(run, "potstill.teacher.fingerprint").length());
            }
            assertEquals("FINISHED", parent.path("info").path("status").asText());
            assertFalse(server.batches().toString().contains("not-to-be-seen") || server.batches().toString().contains("mlflow.uri"));
            assertTrue(label.scoredTokens() > 0);
            assertEquals(List.of(0), TrackingServer.steps(labelled, "tokens_scored"));
            for (String figure : List.of("teacher_entropy", "model_flops_share", "cost_per_million_tokens")) {
                assertEquals(List.of(0), TrackingServer.steps(labelled, figure), figure);
            }
            for (String figure : List.of("mean_model_flops_share", "mean_waited_share", "cost_per_million_tokens")) {
                assertEquals(List.of(0), TrackingServer.steps(trained, figure), figure);
            }
            for (String figure : List.of("loss", "kl", "cross_entropy", "learning_rate", "gradient_norm", "tokens_per_second", "model_flops_share",
                    "waited_share")) {
                assertEquals(IntStream.rangeClosed(1, train.rounds()).boxed().toList(), TrackingServer.steps(trained, figure), figure);
            }
            for (JsonNode metric : trained.path("data").path("metrics")) {
                assertTrue(metric.path("value").asDouble() > 0, metric.toString());
            }
            for (String name : List.of("report.html", "report.json")) {
                assertArrayEquals(Files.readAllBytes(folder.resolve("student/report/" + name)), server.artifact(parent, name));
            }
            assertArrayEquals(Files.readAllBytes(folder.resolve("student/model.safetensors")), server.artifact(trained, "student/model.safetensors"));
            assertEquals(List.of(), warnings);
        }
    }

    @Test
    void manyFiguresGoInFewRequestsThatServersTake() throws IOException {
        try (TrackingServer server = new TrackingServer()) {
            try (JobRun record = begin("train", settings(server.uri()))) {
                IntStream.rangeClosed(1, 500).forEach(number -> record.learnt(round(number)));
            }
            JsonNode run = server.runs("train").get(0);
            assertEquals(500, TrackingServer.steps(run, "loss").size());
            assertEquals("FAILED", run.path("info").path("status").asText());
            assertTrue(server.batches().size() < 8, server.batches().size() + " requests");
        }
    }

    @Test
    void whatAnOverloadedServerRefusesIsSentAgain() throws IOException, InterruptedException {
        try (TrackingServer server = new TrackingServer()) {
            server.refuse(500, 503);
            try (JobRun record = begin("train", settings(server.uri()))) {
                IntStream.rangeClosed(1, 20).forEach(number -> record.learnt(round(number)));
                Eventually.until(() -> server.runs("train").stream().anyMatch(run -> TrackingServer.steps(run, "loss").size() == 20), () -> "the figures do not come");
            }
            assertEquals(1, warnings.stream().filter(line -> line.contains("does not record")).count(), warnings.toString());
        }
    }

    @Test
    void aServerThatRefusesTheKeyIsNotAskedAgain() throws IOException {
        try (TrackingServer server = new TrackingServer()) {
            server.refuse(401, 401, 401, 401, 401);
            try (JobRun record = begin("train", settings(server.uri()))) {
                record.learnt(round(1));
            }
            assertEquals(List.of(), server.runs("train"));
            assertEquals(1, warnings.size(), warnings.toString());
            assertTrue(warnings.get(0).contains("401") && warnings.get(0).contains("MLFLOW_TRACKING_TOKEN"), warnings.get(0));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aDeadOrSilentServerCostsOneWarningAndLittleTime(boolean dead) throws IOException {
        try (TrackingServer server = new TrackingServer()) {
            server.delay(3_600_000);
            JobRun record = new JobRun("train", settings(dead ? closedPort() : server.uri()), hadoop(), SHORT, SHORT);
            // More than may wait for the server: the work does not.
            IntStream.rangeClosed(1, 10_000).forEach(number -> record.learnt(round(number)));
            record.close();
            assertEquals(1, warnings.stream().filter(line -> line.contains("does not record")).count(), warnings.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"file:///runs", "http://user:secret@host", "sqlite:///a.db", "http://host?x=1", "host:5000", "databricks"})
    void aUriThatIsNoServersIsRefused(String uri) {
        Settings settings = settings(uri);
        UserException refused = assertThrows(UserException.class, () -> JobRun.check(settings));
        assertTrue(refused.problem().contains("mlflow.uri") && !refused.getMessage().contains("secret"), refused.getMessage());
    }

    @Test
    void withoutAUriNothingIsRecorded() {
        Settings settings = distillery.settings();
        JobRun.check(settings);
        try (JobRun record = JobRun.begin("train", settings, hadoop())) {
            record.learnt(round(1));
            record.done("nothing", "none.html");
        }
        assertEquals(List.of(), warnings);
    }
}
