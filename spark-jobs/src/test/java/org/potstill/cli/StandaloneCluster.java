// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.potstill.spark.Eventually;

/** A master and two workers of a Spark standalone cluster on loopback, each worker with two cores and two GPUs that it believes in. */
final class StandaloneCluster implements AutoCloseable {
    private static final Path SPARK_HOME = Path.of(System.getProperty("spark.home")).normalize();
    private static final Path SCRIPT = Path.of(System.getProperty("potstill.script")).normalize();
    private static final int WORKERS = 2;
    private static final int GPUS = 2;

    static final String SECRET = "known-to-the-cluster-alone";
    private static final List<String> SECURITY = List.of("spark.authenticate=true", "spark.authenticate.secret=" + SECRET,
            "spark.network.crypto.enabled=true");

    /** The compiler C2 costs a short process more than it saves; but executors that train have SIMD only with it. */
    private static final String NO_C2 = "-XX:TieredStopAtLevel=1";
    private static final Pattern STEPS = Pattern.compile("LocalSteps: worker \\d+ trains steps (\\d+) to");

    private final Path folder;
    private final List<Process> processes = new ArrayList<>();
    private final String master;

    StandaloneCluster(Path folder) throws Exception {
        this.folder = folder;
        FakeNvidiaSmi.write(folder.resolve("bin"), GPUS);
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        master = "spark://127.0.0.1:" + port;
        try {
            // Where it is on by default, the REST server refuses authentication.
            Path log = start("master", List.of("-Dspark.master.rest.enabled=false"), "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1",
                    "--port", String.valueOf(port), "--webui-port", "0");
            await(log, "I have been elected leader", 1);
            List<String> gpus = List.of("-Dspark.worker.resource.gpu.amount=" + GPUS,
                    "-Dspark.worker.resource.gpu.discoveryScript=" + SCRIPT.resolveSibling("gpu-discovery.sh"));
            for (int i = 0; i < WORKERS; i++) {
                start("worker-" + i, gpus, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "2",
                        "--memory", "1500m", "--webui-port", "0", "--work-dir", folder.resolve("work-" + i).toString(), master);
            }
            await(log, "Registering worker", WORKERS);
        } catch (Exception | Error e) {
            close();
            throw e;
        }
    }

    @Override
    public void close() throws InterruptedException {
        for (Process process : processes) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
    }

    /**
     * Runs deploy/potstill to its end.
     *
     * @param options for spark-submit
     */
    void submit(String job, Path conf, String options) throws Exception {
        await(job, begin(job, conf, options));
    }

    /** Starts deploy/potstill, which becomes the driver. */
    Process begin(String job, Path conf, String options) throws IOException {
        ProcessBuilder builder = process(List.of(SCRIPT.toString(), job, "--conf", conf.toString()), log(job));
        String withoutC2 = " --conf spark.driver.extraJavaOptions=" + NO_C2
                + (job.equals("train") ? "" : " --conf spark.executor.extraJavaOptions=" + NO_C2);
        builder.environment().put("POTSTILL_SUBMIT", "--master " + master + " --conf " + String.join(" --conf ", SECURITY) + withoutC2
                + " " + options);
        builder.environment().put("POTSTILL_MEMORY", "1g");
        builder.environment().put("POTSTILL_LOG_LEVEL", "debug");
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    void await(String job, Process process) throws Exception {
        assertTrue(process.waitFor(240, TimeUnit.SECONDS), () -> job + " did not end:\n" + read(log(job)));
        assertEquals(0, process.exitValue(), () -> job + ":\n" + read(log(job)) + executorLogs());
        deleteJars();
    }

    /** Each executor keeps a copy of the application's jar, which a standalone worker deletes only after days. */
    private void deleteJars() throws IOException {
        try (Stream<Path> files = Files.walk(folder, 4)) {
            for (Path jar : files.filter(file -> file.getFileName().toString().endsWith("potstill.jar")).toList()) {
                Files.delete(jar);
            }
        }
    }

    Path log(String job) {
        return folder.resolve(job + ".log");
    }

    /** The executors that run now: workers start nothing else. */
    List<ProcessHandle> executors() {
        return processes.subList(1, 1 + WORKERS).stream().flatMap(Process::children).toList();
    }

    private Path start(String name, List<String> options, String mainClass, String... arguments) throws IOException {
        Path log = folder.resolve(name + ".log");
        List<String> command = new ArrayList<>(List.of(java(), "-Xmx512m", NO_C2));
        SECURITY.forEach(setting -> command.add("-D" + setting));
        command.addAll(options);
        command.addAll(List.of("-cp", SPARK_HOME.resolve("jars") + "/*", mainClass));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = process(command, log);
        builder.environment().merge("PATH", folder.resolve("bin").toString(), (path, first) -> first + File.pathSeparator + path);
        builder.environment().remove("CUDA_VISIBLE_DEVICES");
        builder.environment().remove("NVIDIA_VISIBLE_DEVICES");
        processes.add(builder.start());
        return log;
    }

    private static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    private ProcessBuilder process(List<String> command, Path log) {
        ProcessBuilder process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).directory(folder.toFile());
        Map<String, String> environment = process.environment();
        environment.remove("SPARK_HOME");
        if (Files.isExecutable(SPARK_HOME.resolve("bin/spark-submit"))) {
            environment.put("SPARK_HOME", SPARK_HOME.toString());
        }
        environment.put("SPARK_LOCAL_IP", "127.0.0.1");
        environment.put("RUST_FLAVOR", "cpu");
        environment.put("JDK_JAVA_OPTIONS", "-XX:+UseSerialGC " + System.getProperty("test.jvm.options", ""));
        if (!command.get(0).endsWith("potstill")) {
            environment.put("SPARK_HOME", SPARK_HOME.toString());
            environment.put("SPARK_SCALA_VERSION", System.getProperty("scala.binary.version"));
        }
        return process;
    }

    static void await(Path log, String text, int times) throws Exception {
        Eventually.until(() -> read(log).split(text, -1).length - 1 >= times, () -> "no '" + text + "' in\n" + read(log));
    }

    /** By the logs of all executors so far: the step that workers began a round with, and how many of them did. */
    Map<Integer, Integer> roundsBegun() {
        Map<Integer, Integer> workers = new TreeMap<>();
        Matcher begun = STEPS.matcher(executorLogs());
        while (begun.find()) {
            workers.merge(Integer.valueOf(begun.group(1)), 1, Integer::sum);
        }
        return workers;
    }

    /** Waits until both workers are taking steps of the round that begins with this one, beyond those that did before. */
    void awaitRound(int firstStep, Map<Integer, Integer> before) throws InterruptedException {
        int workers = before.getOrDefault(firstStep, 0) + 2;
        Eventually.until(() -> roundsBegun().getOrDefault(firstStep, 0) >= workers, () -> firstStep + " is not in " + roundsBegun());
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
