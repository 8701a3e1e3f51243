// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.spark.Distillery;
import org.potstill.spark.Eventually;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.prune.PruneJob;
import org.potstill.spark.prune.PruneSummary;

/** The application jar, through spark-submit, on a standalone master and two workers: real processes on loopback. */
class StandaloneClusterIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PLUGIN = ".plugin.org.potstill.spark.PotstillPlugin.";

    @TempDir
    private static Path shared;
    private static StandaloneCluster cluster;
    private static Distillery distillery;

    @TempDir
    private Path folder;

    @BeforeAll
    static void start() throws Exception {
        cluster = new StandaloneCluster(shared);
        distillery = new Distillery(shared);
    }

    @AfterAll
    static void stop() throws InterruptedException {
        cluster.close();
    }

    @Test
    void labelTrainAndEvaluateRunOnTwoExecutorsEachLoadingTheTeacherOnce() throws Exception {
        Path conf = writeConf("executor { cores = 1, memory = 1g }");

        cluster.submit("label", conf, "");
        JsonNode label = report().path("label");
        assertEquals(2, label.path("executors").size(), label.toString());
        label.path("executors").forEach(executor -> assertTrue(executor.path("tokens").asLong() > 0, label.toString()));
        label.path("executors").forEach(executor -> assertEquals(1, executor.path("modelLoads").asInt(), label.toString()));

        cluster.submit("train", conf, "");
        JsonNode train = report().path("train");
        assertEquals(2, train.path("workers").asInt());
        // In all rounds but the first, an executor fetches the other's values of its half of the state and the average of the other half: of
        // each parameter and its two moments, 4 bytes each. Less where one executor ran both workers.
        double rounds = train.path("rounds").asDouble();
        double bytes = train.path("exchange").path("bytesPerParameter").asDouble() * rounds / (rounds - 1);
        assertTrue(bytes > 6 && bytes < 12.01, train.toString());
        assertTrue(train.path("exchange").path("waitedShare").asDouble() > 0 && train.path("hardware").path("share").asDouble() > 0, train.toString());
        assertEquals(2, executorsOfStage("collectPartitions at AveragingRound").size());
        assertTrue(Files.exists(folder.resolve("student/model.safetensors")));

        cluster.submit("evaluate", conf, "");
        assertTrue(report().path("evaluate").path("heldOut").path("student").path("perplexity").path("value").asDouble() > 1);
    }

    /** One batch, whose candidates the two executors share. */
    @Test
    void pruningOnTwoExecutorsComesToTheModelThatOneProcessFinds() throws Exception {
        Path model = folder.resolve("five.gguf");
        TinyLlama.write(model, 9, new CausalLmConfig(320, 64, 48, 5, 4, 2, 16, 256, 1e-5f, 10_000f, true));
        String[] prune = {"prune.model=" + model, "prune.layers=2", "prune.intermediate-size=40", "prune.calibration-tokens=100"};
        List<String> here = new ArrayList<>(List.of(prune));
        here.addAll(List.of("prune.path=" + folder.resolve("here"), "batch-tokens=2048"));
        PruneSummary expected = new PruneJob(Distillery.spark(), distillery.settings(here.toArray(String[]::new))).run();

        Path conf = writeConf("executor { cores = 1, memory = 1g }");
        Files.writeString(conf, String.join("\n", prune).replace("prune.model=" + model, "prune.model=\"" + model + "\"")
                + "\nprune.path=\"" + folder.resolve("there") + "\"\n", StandardOpenOption.APPEND);
        cluster.submit("prune", conf, "");
        assertEquals(2, executorsOfStage("collect at LayerCosts").size());
        JsonNode there = report().path("prune");
        assertEquals(JSON.valueToTree(expected.kept()), there.path("kept"));
        assertArrayEquals(Files.readAllBytes(folder.resolve("here/model.safetensors")), Files.readAllBytes(folder.resolve("there/model.safetensors")));
    }

    /**
     * A {@code kill -9} of an executor in the middle of a round, then one of the driver, and a resume. That the executor's
     * steps of that round, and no other, are taken again is seen by the tasks that Spark's event log tells of. Then one dies
     * between two rounds, with what it reached and nobody has fetched yet; and then both at once, and with them every copy of the
     * state but the driver's last.
     */
    @Test
    void trainingSurvivesTheDeathOfAnExecutorAndOfTheDriverToTheBytesOfAnUndisturbedRun() throws Exception {
        // Rounds that are long enough to be in the middle of one.
        Path corpus = labelledCorpus(48);
        Map<Integer, Integer> before = cluster.roundsBegun();
        cluster.submit("train", writeTrainingConf("undisturbed", corpus, 50), "");
        Map<Integer, Integer> undisturbed = cluster.roundsBegun();
        List<Integer> firstSteps = undisturbed.keySet().stream().filter(step -> !undisturbed.get(step).equals(before.get(step))).toList();
        FileUtils.deleteDirectory(folder.resolve("events").toFile());

        Path conf = writeTrainingConf("student", corpus, 50);
        Process driver = cluster.begin("train", conf, "");
        cluster.awaitRound(firstSteps.get(1), undisturbed);
        cluster.executors().get(0).destroyForcibly();
        StandaloneCluster.await(cluster.log("train"), "epoch 1 round 3/", 1);
        driver.destroyForcibly().waitFor();
        assertEquals(1, trainingTasksRepeated(), "of the executor that died, one task");

        Map<Integer, Integer> stopped = cluster.roundsBegun();
        driver = cluster.begin("train", conf, "");
        StandaloneCluster.await(cluster.log("train"), "epoch 2 round 1/", 1);
        cluster.executors().get(0).destroyForcibly();
        // The third round of the second epoch.
        cluster.awaitRound(firstSteps.get(firstSteps.size() / 2 + 2), stopped);
        cluster.executors().forEach(ProcessHandle::destroyForcibly);
        cluster.await("train", driver);
        assertTrue(Files.readString(cluster.log("train")).contains("going back from epoch 2 round "), "the driver's copy was needed");
        assertArrayEquals(Files.readAllBytes(folder.resolve("undisturbed/model.safetensors")),
                Files.readAllBytes(folder.resolve("student/model.safetensors")));
        assertEquals(history("undisturbed"), history("student"));
    }

    /** Its worker's moments die with an executor: training goes back to the last copy, and on to the same bytes. */
    @ParameterizedTest
    @ValueSource(strings = {"overlap = 0", "overlap = 1", "grace = 0.001"})
    void averagingOnlyParametersSurvivesTheDeathOfAnExecutorToTheSameBytes(String closing) throws Exception {
        Path corpus = labelledCorpus(24);
        String parameters = "train { average = parameters, " + closing + ", payload = int4, epochs = 1, checkpoint-rounds = 100 }\n";
        Map<Integer, Integer> before = cluster.roundsBegun();
        Path conf = writeTrainingConf("undisturbed", corpus, 25);
        Files.writeString(conf, parameters, StandardOpenOption.APPEND);
        cluster.submit("train", conf, "");
        Map<Integer, Integer> undisturbed = cluster.roundsBegun();
        List<Integer> firstSteps = undisturbed.keySet().stream().filter(step -> !undisturbed.get(step).equals(before.get(step))).toList();

        conf = writeTrainingConf("student", corpus, 25);
        Files.writeString(conf, parameters, StandardOpenOption.APPEND);
        Path late = folder.resolve("undisturbed/checkpoints/late");
        assertEquals(closing.startsWith("grace"), Files.exists(late));
        if (Files.exists(late)) {
            FileUtils.copyDirectory(late.toFile(), folder.resolve("student/checkpoints/late").toFile());
        }
        Process driver = cluster.begin("train", conf, "");
        cluster.awaitRound(firstSteps.get(3), undisturbed);
        cluster.executors().get(0).destroyForcibly();
        cluster.await("train", driver);
        assertTrue(Files.readString(cluster.log("train")).contains("going back from epoch 1 round "), "a worker's moments were lost");
        assertArrayEquals(Files.readAllBytes(folder.resolve("undisturbed/model.safetensors")),
                Files.readAllBytes(folder.resolve("student/model.safetensors")));
        assertEquals(history("undisturbed"), history("student"));
    }

    /** Each listens elsewhere than where it says: what Spark's own ports do stays as it was. */
    @Test
    void trainingEndsWithTheReasonWhereExecutorsDoNotReachEachOther() throws Exception {
        new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + folder.resolve("cache"))).run();
        Process driver = cluster.begin("train", writeTrainingConf("unreached", distillery.corpus(), 20), "--conf spark.yarn.executor.bindAddress=127.0.0.2");
        assertTrue(driver.waitFor(240, TimeUnit.SECONDS));
        assertTrue(driver.exitValue() != 0);
        String log = Files.readString(cluster.log("train"));
        assertTrue(Pattern.compile("they died at \\[.*127\\.0\\.0\\.1:246[89]\\d.*], or cannot reach each other "
                + "there").matcher(log).find(), log);
        assertTrue(log.contains("The last good checkpoint is none"), log);
    }

    private Path labelledCorpus(int documents) {
        Path corpus = folder.resolve("corpus");
        for (int i = 0; i < documents; i++) {
            Distillery.write(corpus.resolve("doc-" + i + ".txt"), Distillery.text(i, 120));
        }
        new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + folder.resolve("cache"), "corpus.path=" + corpus)).run();
        return corpus;
    }

    private JsonNode history(String student) throws IOException {
        return JSON.readTree(folder.resolve(student + "/provenance.json").toFile()).path("training").path("history");
    }

    /** A checkpoint after every second round. Who takes a dead executor's place may take its port, too. */
    private Path writeTrainingConf(String student, Path corpus, int localSteps) {
        Path conf = folder.resolve(student + ".conf");
        Distillery.write(conf, """
                corpus { path = "%s", holdout = 0.2 }
                teacher { path = "%s", device = cpu, scratch = "%s" }
                cache.path = "%s"
                targets.k = 8
                sequence-length = 32
                student { path = "%s", hidden-size = 256, intermediate-size = 512, layers = 4, heads = 2, kv-heads = 1 }
                train { epochs = 2, workers = 2, batch-size = 1, local-steps = %d, checkpoint-rounds = 2, outer-momentum = 0.5 }
                spark {
                  executor { cores = 1, memory = 1g }, ui.enabled = false, eventLog { enabled = true, dir = "file:%s", compress = false, rolling.enabled = false }
                  potstill.exchange.port = 24680
                }
                """.formatted(corpus, distillery.teacher(), shared.resolve("scratch"), folder.resolve("cache"),
                folder.resolve(student), localSteps, events()));
        return conf;
    }

    /** Of one page, as counters go on between two. The corpus is larger than the test waits for. */
    @Test
    void theDriversPageShowsBothExecutorsAndTheirSums() throws Exception {
        Path corpus = folder.resolve("corpus");
        for (int i = 0; i < 300; i++) {
            Distillery.write(corpus.resolve(i + ".txt"), Distillery.text(i, 3000));
        }
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Path conf = writeConf("executor { cores = 1, memory = 1g }, ui.port = " + port);
        Files.writeString(conf, "spark.ui.enabled = true\ncorpus.path = \"" + corpus + "\"\ncache.shard-tokens = 20000\n", StandardOpenOption.APPEND);
        Process driver = cluster.begin("label", conf, "");
        HttpClient http = HttpClient.newHttpClient();
        HttpRequest page = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics/prometheus/")).build();
        Eventually.until(() -> {
            try {
                Map<String, Double> shown = metrics(http.send(page, HttpResponse.BodyHandlers.ofString()).body());
                double one = shown.getOrDefault("executor_0_tokensScored", 0.0);
                double other = shown.getOrDefault("executor_1_tokensScored", 0.0);
                return one > 0 && other > 0 && one + other == shown.get("tokensScored") && shown.get("executorsReporting") == 2;
            } catch (IOException e) {
                return false;
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }, () -> "no such page; the driver is alive: " + driver.isAlive());
        driver.destroyForcibly().waitFor();
    }

    /** Potstill's metrics by their own names. */
    private static Map<String, Double> metrics(String page) {
        Map<String, Double> metrics = new TreeMap<>();
        Matcher line = Pattern.compile("(?m)^metrics_.*_PotstillPlugin_(\\w+)_Value\\{.*} (\\S+)$").matcher(page);
        while (line.find()) {
            metrics.put(line.group(1), Double.valueOf(line.group(2)));
        }
        return metrics;
    }

    /** There are no GPUs, and the teacher runs on the CPU: what is tested is that each task scores with the address it is given. */
    @Test
    void bothGpusOfAnExecutorScoreAndItsMetricsAndAccumulatorsTellSo() throws Exception {
        Path metrics = Files.createDirectories(folder.resolve("metrics"));
        Path conf = writeConf("""
                cores.max = 2
                metrics.conf.executor.sink.csv { class = org.apache.spark.metrics.sink.CsvSink, directory = "%s", period = 1, unit = seconds }
                """.formatted(metrics));
        Path settings = Path.of(System.getProperty("potstill.script")).resolveSibling("../conf/gpu-standalone.properties").normalize();
        cluster.submit("label", conf, "--properties-file " + settings + " --conf spark.executor.resource.gpu.amount=2"
                + " --conf spark.task.resource.gpu.amount=1 --conf spark.executor.memory=1g --conf spark.executor.memoryOverhead=384m");

        JsonNode label = report().path("label");
        Map<Integer, Long> tokensOfGpu = new TreeMap<>();
        int loads = 0;
        for (JsonNode share : label.path("executors")) {
            assertEquals("0", share.path("executor").asText());
            tokensOfGpu.put(share.path("gpu").asInt(), share.path("tokens").asLong());
            loads += share.path("modelLoads").asInt();
        }
        assertEquals(new TreeSet<>(List.of(0, 1)), tokensOfGpu.keySet(), label.toString());
        assertTrue(tokensOfGpu.values().stream().allMatch(tokens -> tokens > 0), label.toString());
        assertEquals(1, loads, "one teacher on the CPU, whatever the addresses");

        long scored = label.path("scoredTokens").asLong();
        assertEquals((double) scored, accumulated("tokens scored"), 0);
        assertEquals(1, accumulated("model loads"), 0);
        assertEquals(label.path("teacherEntropy").asDouble(), accumulated("teacher entropy, nats, sum") / scored, 1e-6);

        double seen = lastSample(metrics, "tokensScored");
        assertTrue(seen > 0 && seen <= scored, seen + " of " + scored);
        assertTrue(lastSample(metrics, "tokensPerSecond") > 0);
        assertTrue(lastSample(metrics, "meanEntropy") > 0);
        assertEquals(1, lastSample(metrics, "modelLoads"), 0);
        assertEquals(0, lastSample(metrics, "batchHalvings"), 0);
        assertEquals(0, lastSample(metrics, "sequencesQuarantined"), 0);
    }

    private Path writeConf(String spark) {
        Path conf = folder.resolve("cluster.conf");
        // No train.workers: as many as the cluster has task slots.
        Distillery.write(conf, """
                corpus { path = "%s", holdout = 0.2 }
                teacher { path = "%s", device = auto, scratch = "%s" }
                cache { path = "%s", shard-tokens = 400 }
                targets.k = 8
                sequence-length = 32
                student { path = "%s", hidden-size = 16, intermediate-size = 32, layers = 2, heads = 2, kv-heads = 1 }
                train { batch-size = 4, local-steps = 4 }
                spark {
                  %s
                  ui.enabled = false
                  eventLog { enabled = true, dir = "file:%s", compress = false, rolling.enabled = false }
                }
                """.formatted(distillery.corpus(), distillery.teacher(), shared.resolve("scratch"), folder.resolve("cache"),
                folder.resolve("student"), spark, events()));
        return conf;
    }

    private Path events() {
        Path events = folder.resolve("events");
        events.toFile().mkdirs();
        return events;
    }

    private JsonNode report() throws IOException {
        return JSON.readTree(folder.resolve("student/report/report.json").toFile());
    }

    private List<JsonNode> logged() throws IOException {
        List<JsonNode> all = new ArrayList<>();
        try (Stream<Path> logs = Files.list(events())) {
            for (Path log : logs.sorted().toList()) {
                for (String line : Files.readAllLines(log)) {
                    // A driver that was killed leaves half a line.
                    if (line.endsWith("}")) {
                        all.add(JSON.readTree(line));
                    }
                }
            }
        }
        return all;
    }

    /** How many tasks of local steps were begun beyond one of each of two workers, in the rounds that were completed. */
    private int trainingTasksRepeated() throws IOException {
        Map<Integer, Integer> completed = new HashMap<>();
        List<Integer> begun = new ArrayList<>();
        for (JsonNode event : logged()) {
            JsonNode stage = event.path("Stage Info");
            if (event.path("Event").asText().equals("SparkListenerStageCompleted")
                    && stage.path("Stage Name").asText().startsWith("collectPartitions at AveragingRound")) {
                completed.put(stage.path("Stage ID").asInt(), stage.path("Number of Tasks").asInt());
            } else if (event.path("Event").asText().equals("SparkListenerTaskStart")) {
                begun.add(event.path("Stage ID").asInt());
            }
        }
        // One of fewer tasks is itself a repetition.
        long rounds = completed.values().stream().filter(tasks -> tasks == 2).count();
        assertTrue(rounds >= 3, completed.toString());
        return (int) (begun.stream().filter(completed::containsKey).count() - 2 * rounds);
    }

    /** Which executors ran tasks of the stages with this name, by Spark's event log. */
    private Set<String> executorsOfStage(String name) throws IOException {
        Map<Integer, String> stages = new HashMap<>();
        Set<String> executors = new TreeSet<>();
        for (JsonNode event : logged()) {
            if (event.path("Event").asText().equals("SparkListenerStageSubmitted")) {
                stages.put(event.path("Stage Info").path("Stage ID").asInt(), event.path("Stage Info").path("Stage Name").asText());
            } else if (event.path("Event").asText().equals("SparkListenerTaskEnd")
                    && stages.getOrDefault(event.path("Stage ID").asInt(), "").startsWith(name)) {
                executors.add(event.path("Task Info").path("Executor ID").asText());
            }
        }
        return executors;
    }

    /** The value of a named accumulator as the page of its stage shows it. */
    private double accumulated(String name) throws IOException {
        double value = Double.NaN;
        for (JsonNode event : logged()) {
            if (event.path("Event").asText().equals("SparkListenerStageCompleted")) {
                for (JsonNode accumulable : event.path("Stage Info").path("Accumulables")) {
                    value = accumulable.path("Name").asText().equals(name) ? accumulable.path("Value").asDouble() : value;
                }
            }
        }
        return value;
    }

    /** What Spark's CSV sink last wrote of a metric of the one executor. */
    private static double lastSample(Path metrics, String name) throws IOException {
        try (Stream<Path> files = Files.list(metrics)) {
            List<Path> found = files.filter(f -> f.getFileName().toString().endsWith(PLUGIN + name + ".csv")).toList();
            assertEquals(1, found.size(), () -> name + ": " + found);
            List<String> lines = Files.readAllLines(found.get(0));
            assertEquals("t,value", lines.get(0));
            return Double.parseDouble(lines.get(lines.size() - 1).split(",")[1]);
        }
    }
}
