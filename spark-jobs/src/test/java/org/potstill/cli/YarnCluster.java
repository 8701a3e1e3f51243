// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.potstill.spark.Eventually;

/** YARN's ResourceManager and two NodeManagers, each a process on loopback; a node has one GPU that it believes in, and room for one executor. */
final class YarnCluster implements AutoCloseable {
    /** Of conf/gpu-yarn.properties, an executor asks for 12 GiB; a driver, for less than 2. */
    private static final int NODE_MIB = 15 << 10;
    private static final int NODES = 2;
    private static final List<String> RESOURCE_MANAGER_PORTS = List.of("address", "scheduler.address", "resource-tracker.address",
            "admin.address", "webapp.address");

    private final Path folder;
    private final Path jars;
    private final Map<String, Process> nodes = new LinkedHashMap<>();
    private final List<Process> processes = new ArrayList<>();

    YarnCluster(Path folder, Path jars) throws Exception {
        this.folder = folder;
        this.jars = jars;
        FakeNvidiaSmi.write(folder.resolve("bin"), 1);
        Map<String, String> site = new LinkedHashMap<>();
        List<ServerSocket> ports = new ArrayList<>();
        for (String name : RESOURCE_MANAGER_PORTS) {
            ServerSocket port = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
            ports.add(port);
            site.put("yarn.resourcemanager." + name, "127.0.0.1:" + port.getLocalPort());
        }
        for (ServerSocket port : ports) {
            port.close();
        }
        site.put("yarn.resourcemanager.bind-host", "127.0.0.1");
        site.put("yarn.resource-types", "yarn.io/gpu");
        site.put("yarn.scheduler.minimum-allocation-mb", "128");
        site.put("yarn.scheduler.maximum-allocation-mb", String.valueOf(NODE_MIB));
        // A node that says nothing is lost.
        site.put("yarn.nm.liveness-monitor.expiry-interval-ms", "6000");
        site.put("yarn.resourcemanager.nm.liveness-monitor.interval-ms", "1000");
        write(folder.resolve("conf/yarn-site.xml"), site);
        write(folder.resolve("conf/capacity-scheduler.xml"), Map.of(
                "yarn.scheduler.capacity.resource-calculator", "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator",
                "yarn.scheduler.capacity.root.queues", "default", "yarn.scheduler.capacity.root.default.capacity", "100",
                "yarn.scheduler.capacity.maximum-am-resource-percent", "1"));
        try {
            start("resource-manager", folder.resolve("conf"), "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager");
            for (int i = 0; i < NODES; i++) {
                startNode("node-" + i, site);
            }
            awaitNodes(site.get("yarn.resourcemanager.webapp.address"), NODES);
        } catch (Exception | Error e) {
            close();
            throw e;
        }
    }

    private void startNode(String name, Map<String, String> site) throws IOException {
        Map<String, String> own = new LinkedHashMap<>(site);
        for (String port : List.of("address", "localizer.address", "collector-service.address", "webapp.address")) {
            own.put("yarn.nodemanager." + port, "127.0.0.1:0");
        }
        own.put("yarn.nodemanager.resource.memory-mb", String.valueOf(NODE_MIB));
        own.put("yarn.nodemanager.resource-plugins", "yarn.io/gpu");
        own.put("yarn.nodemanager.resource-plugins.gpu.allowed-gpu-devices", "0:0");
        own.put("yarn.nodemanager.resource-plugins.gpu.path-to-discovery-executables", folder.resolve("bin/nvidia-smi").toString());
        own.put("yarn.nodemanager.env-whitelist", "JAVA_HOME,HADOOP_CONF_DIR");
        // Containers have their shell's PATH otherwise, as nodes have nvidia-smi in /usr/bin.
        own.put("yarn.nodemanager.admin-env", "PATH=" + folder.resolve("bin") + File.pathSeparator + System.getenv("PATH"));
        own.put("yarn.nodemanager.pmem-check-enabled", "false");
        own.put("yarn.nodemanager.vmem-check-enabled", "false");
        own.put("yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage", "99");
        own.put("yarn.nodemanager.local-dirs", folder.resolve(name + "/local").toString());
        own.put("yarn.nodemanager.log-dirs", folder.resolve(name + "/logs").toString());
        write(folder.resolve(name + "-conf/yarn-site.xml"), own);
        nodes.put(name, start(name, folder.resolve(name + "-conf"), "org.apache.hadoop.yarn.server.nodemanager.NodeManager"));
    }

    private static void write(Path file, Map<String, String> properties) throws IOException {
        StringBuilder xml = new StringBuilder("<configuration>\n");
        properties.forEach((name, value) -> xml.append("<property><name>").append(name).append("</name><value>").append(value)
                .append("</value></property>\n"));
        Files.createDirectories(file.getParent());
        Files.writeString(file, xml.append("</configuration>\n"));
    }

    private Process start(String name, Path conf, String mainClass) throws IOException {
        return start(name, List.of(java(), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--add-opens=java.base/java.lang=ALL-UNNAMED",
                "-cp", String.join(File.pathSeparator, conf.toString(), jars.resolve("yarn") + "/*", jars.resolve("spark") + "/*"), mainClass));
    }

    private Process start(String name, List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log(name).toFile());
        Map<String, String> environment = builder.environment();
        environment.keySet().removeIf(variable -> variable.matches("(SPARK|HADOOP|YARN|POTSTILL)_.*|RUST_FLAVOR"));
        environment.merge("PATH", folder.resolve("bin").toString(), (path, first) -> first + File.pathSeparator + path);
        environment.put("JAVA_HOME", System.getProperty("java.home"));
        environment.put("HADOOP_CONF_DIR", folder.resolve("conf").toString());
        // As the properties' own header says: the path of the discovery script is relative.
        builder.directory(Path.of(System.getProperty("potstill.script")).resolveSibling("..").normalize().toFile());
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    private static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    /** Waits until this many nodes have joined. */
    private void awaitNodes(String web, int number) throws InterruptedException {
        HttpClient http = HttpClient.newHttpClient();
        HttpRequest metrics = HttpRequest.newBuilder(URI.create("http://" + web + "/ws/v1/cluster/metrics")).build();
        Eventually.until(() -> {
            assertTrue(processes.stream().allMatch(Process::isAlive), this::daemons);
            try {
                return http.send(metrics, HttpResponse.BodyHandlers.ofString()).body().contains("\"activeNodes\":" + number + ",");
            } catch (IOException e) {
                return false;
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }, this::daemons);
    }

    private String daemons() {
        return read(log("resource-manager")) + nodes.keySet().stream().map(name -> read(log(name))).toList();
    }

    /** Begins a job of the application jar in cluster mode, from the repository's folder. */
    Process begin(String job, List<String> options, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-cp", folder.resolve("conf") + File.pathSeparator + jars.resolve("spark") + "/*", "org.apache.spark.deploy.SparkSubmit",
                "--master", "yarn", "--deploy-mode", "cluster", "--conf", "spark.yarn.jars=local:" + jars.resolve("spark") + "/*",
                "--conf", "spark.yarn.stagingDir=file:" + folder.resolve("staging"), "--conf", "spark.ui.enabled=false",
                "--conf", "spark.yarn.submit.file.replication=1"));
        command.addAll(options);
        command.addAll(List.of("--class", "org.potstill.cli.Potstill", System.getProperty("potstill.jar"), job));
        command.addAll(arguments);
        return start(job, command);
    }

    int await(String job, Process process) throws Exception {
        assertTrue(process.waitFor(420, TimeUnit.SECONDS), () -> job + " did not end:\n" + read(log(job)) + containers());
        return process.exitValue();
    }

    /** A machine that is gone: its daemon and containers die at once, without a word. */
    void lose(String node) throws InterruptedException {
        Process daemon = nodes.get(node);
        List<ProcessHandle> all = new ArrayList<>(daemon.descendants().toList());
        // First, so that it reports the death of none.
        daemon.destroyForcibly().waitFor();
        all.forEach(ProcessHandle::destroyForcibly);
        processes.remove(daemon);
    }

    /** The node on which a JVM with this main class runs. */
    String nodeOf(String mainClass) {
        return nodes.entrySet().stream().filter(node -> node.getValue().descendants()
                        .anyMatch(process -> read(Path.of("/proc", String.valueOf(process.pid()), "cmdline")).contains(mainClass)))
                .map(Map.Entry::getKey).findFirst().orElseThrow();
    }

    List<String> nodes() {
        return List.copyOf(nodes.keySet());
    }

    Path log(String name) {
        return folder.resolve(name + ".log");
    }

    /** What all containers so far have logged. */
    String containers() {
        try (Stream<Path> files = Files.walk(folder)) {
            StringBuilder all = new StringBuilder();
            files.filter(file -> file.getFileName().toString().matches("stderr|stdout")).sorted()
                    .forEach(file -> all.append(file).append('\n').append(read(file)));
            return all.toString();
        } catch (IOException e) {
            return e.toString();
        }
    }

    static String read(Path file) {
        try {
            return Files.exists(file) ? Files.readString(file) : "";
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Override
    public void close() throws InterruptedException {
        for (Process process : processes) {
            List<ProcessHandle> all = process.descendants().toList();
            process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
            all.forEach(ProcessHandle::destroyForcibly);
        }
    }
}
