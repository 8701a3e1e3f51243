package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.Distillery;

/** The application jar, through spark-submit, on a standalone master and two workers: five processes on loopback. */
class StandaloneClusterIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path SPARK_HOME = Path.of(System.getProperty("spark.home")).normalize();
    private static final Path SCRIPT = Path.of(System.getProperty("potstill.script")).normalize();

    @TempDir
    private Path folder;
    private final List<Process> processes = new ArrayList<>();

    @AfterEach
    void stop() throws InterruptedException {
        for (Process process : processes) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void labelTrainAndEvaluateRunOnTwoExecutorsEachLoadingTheTeacherOnce() throws Exception {
        String master = startCluster(2);
        Distillery distillery = new Distillery(folder);
        Path conf = writeConf(distillery);

        submit(master, "label", conf);
        JsonNode label = report().path("label");
        assertEquals(2, label.path("executors").size(), label.toString());
        label.path("executors").forEach(executor -> assertTrue(executor.path("tokens").asLong() > 0, label.toString()));
        label.path("executors").forEach(executor -> assertEquals(1, executor.path("modelLoads").asInt(), label.toString()));

        submit(master, "train", conf);
        assertEquals(2, report().path("train").path("workers").asInt());
        assertEquals(2, executorsOfStage("mapPartitionsToPair").size());
        assertTrue(Files.exists(folder.resolve("student/model.safetensors")));

        submit(master, "evaluate", conf);
        assertTrue(report().path("evaluate").path("student").path("perplexity").asDouble() > 1);
    }

    private Path writeConf(Distillery distillery) {
        Path conf = folder.resolve("cluster.conf");
        // No train.workers: as many as the cluster has task slots.
        Distillery.write(conf, """
                corpus { path = "%s", holdout = 0.2 }
                teacher { path = "%s", device = cpu, scratch = "%s" }
                cache { path = "%s", shard-tokens = 400 }
                targets.k = 8
                sequence-length = 32
                student { path = "%s", hidden-size = 16, intermediate-size = 32, layers = 2, heads = 2, kv-heads = 1 }
                train { batch-size = 4, local-steps = 4 }
                spark {
                  executor { cores = 1, memory = 1g }
                  ui.enabled = false
                  eventLog { enabled = true, dir = "file:%s" }
                }
                """.formatted(distillery.corpus(), distillery.teacher(), folder.resolve("scratch"), folder.resolve("cache"),
                folder.resolve("student"), events()));
        return conf;
    }

    private Path events() {
        Path events = folder.resolve("events");
        events.toFile().mkdirs();
        return events;
    }

    private String startCluster(int workers) throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        String master = "spark://127.0.0.1:" + port;
        Path log = start("master", "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", String.valueOf(port), "--webui-port", "0");
        await(log, "I have been elected leader", 1);
        for (int i = 0; i < workers; i++) {
            start("worker-" + i, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1500m",
                    "--webui-port", "0", "--work-dir", folder.resolve("work-" + i).toString(), master);
        }
        await(log, "Registering worker", workers);
        return master;
    }

    private Path start(String name, String mainClass, String... arguments) throws IOException {
        Path log = folder.resolve(name + ".log");
        List<String> command = new ArrayList<>(List.of(java(), "-Xmx512m", "-cp", SPARK_HOME.resolve("jars") + "/*", mainClass));
        command.addAll(List.of(arguments));
        processes.add(process(command, log).start());
        return log;
    }

    private static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    private ProcessBuilder process(List<String> command, Path log) {
        ProcessBuilder process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).directory(folder.toFile());
        Map<String, String> environment = process.environment();
        environment.remove("SPARK_HOME");
        environment.put("SPARK_LOCAL_IP", "127.0.0.1");
        environment.put("RUST_FLAVOR", "cpu");
        if (!command.get(0).endsWith("potstill")) {
            environment.put("SPARK_HOME", SPARK_HOME.toString());
            environment.put("SPARK_SCALA_VERSION", System.getProperty("scala.binary.version"));
        }
        return process;
    }

    private void submit(String master, String job, Path conf) throws Exception {
        Path log = folder.resolve(job + ".log");
        ProcessBuilder builder = process(List.of(SCRIPT.toString(), job, "--conf", conf.toString()), log);
        builder.environment().put("POTSTILL_SUBMIT", "--master " + master);
        builder.environment().put("POTSTILL_MEMORY", "1g");
        Process process = builder.start();
        processes.add(process);
        assertTrue(process.waitFor(240, TimeUnit.SECONDS), () -> job + " did not end:\n" + read(log));
        assertEquals(0, process.exitValue(), () -> job + ":\n" + read(log) + executorLogs());
    }

    private static void await(Path log, String text, int times) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (read(log).split(text, -1).length - 1 < times) {
            assertTrue(System.nanoTime() < deadline, () -> "no '" + text + "' in\n" + read(log));
            Thread.sleep(200);
        }
    }

    private JsonNode report() throws IOException {
        return JSON.readTree(folder.resolve("student/report/report.json").toFile());
    }

    /** Which executors ran tasks of the stages with this name, by Spark's event log. */
    private TreeSet<String> executorsOfStage(String name) throws IOException {
        Map<Integer, String> stages = new HashMap<>();
        TreeSet<String> executors = new TreeSet<>();
        try (Stream<Path> logs = Files.list(events())) {
            for (Path log : logs.sorted().toList()) {
                for (String line : Files.readAllLines(log)) {
                    JsonNode event = JSON.readTree(line);
                    if (event.path("Event").asText().equals("SparkListenerStageSubmitted")) {
                        stages.put(event.path("Stage Info").path("Stage ID").asInt(), event.path("Stage Info").path("Stage Name").asText());
                    } else if (event.path("Event").asText().equals("SparkListenerTaskEnd")
                            && stages.getOrDefault(event.path("Stage ID").asInt(), "").startsWith(name + " at AveragingRound")) {
                        executors.add(event.path("Task Info").path("Executor ID").asText());
                    }
                }
            }
        }
        return executors;
    }

    private String executorLogs() {
        try (Stream<Path> files = Files.walk(folder)) {
            StringBuilder all = new StringBuilder();
            files.filter(f -> f.getFileName().toString().equals("stderr")).forEach(f -> all.append(f).append('\n').append(read(f)));
            return all.toString();
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static String read(Path file) {
        try {
            return Files.exists(file) ? Files.readString(file) : "";
        } catch (IOException e) {
            return e.toString();
        }
    }
}
