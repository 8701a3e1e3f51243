// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.Distillery;
import org.potstill.spark.Eventually;

/** The application jar in cluster mode on YARN: real daemons and containers on loopback, and conf/gpu-yarn.properties as it is. */
@EnabledIfSystemProperty(named = "yarn.jars", matches = ".+", disabledReason = "mvn -Pyarn verify -Dit.test=YarnClusterIT runs it")
class YarnClusterIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> ON_GPUS = List.of("--properties-file", "conf/gpu-yarn.properties");
    /** One executor per node here, too, with a place for each worker. */
    private static final List<String> ON_CPUS = List.of("--conf", "spark.executor.memory=1g", "--conf", "spark.executor.memoryOverhead=8g",
            "--conf", "spark.executor.cores=2", "--conf", "spark.executorEnv.RUST_FLAVOR=cpu",
            "--conf", "spark.executor.extraJavaOptions=--add-modules=jdk.incubator.vector");
    private static final String DRIVER = "ApplicationMaster";

    @TempDir
    private Path folder;
    private YarnCluster cluster;
    private Distillery distillery;

    @BeforeEach
    void start() throws Exception {
        cluster = new YarnCluster(folder.resolve("yarn"), Path.of(System.getProperty("yarn.jars")).normalize());
        distillery = new Distillery(folder);
        for (int i = 0; i < 40; i++) {
            Distillery.write(distillery.corpus().resolve("long-" + i + ".txt"), Distillery.text(i, 1500));
        }
    }

    @AfterEach
    void stop() throws InterruptedException {
        cluster.close();
    }

    /** On two nodes undisturbed, and then with one that is lost in the middle, with its executor. */
    @Test
    void labelsOfTwoNodesAreTheSameWithOneLost() throws Exception {
        run("label", ON_GPUS, "undisturbed");
        JsonNode label = report("undisturbed").path("label");
        assertEquals(2, label.path("executors").size(), label.toString());
        for (JsonNode share : label.path("executors")) {
            assertTrue(share.path("tokens").asLong() > 0, label.toString());
            assertEquals(0, share.path("gpu").asInt(-1), "the address by the discovery script: " + label);
        }
        Map<String, String> labels = labels("undisturbed");
        assertTrue(labels.size() > 1000, labels.size() + " rows");

        Process client = begin("label", ON_GPUS, "disturbed");
        Eventually.until(() -> files("disturbed").size() >= 3, cluster::containers);
        loseTheOtherNode();
        assertEquals(0, cluster.await("label", client), cluster::containers);
        assertTrue(cluster.containers().contains("Lost executor"), cluster.containers());
        assertEquals(labels, labels("disturbed"));
    }

    /** A worker's steps of the round are taken again in another executor. */
    @Test
    void trainingSurvivesTheLossOfANodeToTheBytesOfAnUndisturbedRun() throws Exception {
        run("label", ON_GPUS, "undisturbed");
        run("train", ON_CPUS, "undisturbed");
        Files.createDirectories(folder.resolve("disturbed"));
        FileUtils.copyDirectory(folder.resolve("undisturbed/cache").toFile(), folder.resolve("disturbed/cache").toFile());

        int rounds = rounds();
        Process client = begin("train", ON_CPUS, "disturbed");
        Eventually.until(() -> rounds() > rounds + 6, cluster::containers);
        loseTheOtherNode();
        assertEquals(0, cluster.await("train", client), cluster::containers);
        assertTrue(cluster.containers().contains("Lost executor"), cluster.containers());
        assertArrayEquals(Files.readAllBytes(folder.resolve("undisturbed/student/model.safetensors")),
                Files.readAllBytes(folder.resolve("disturbed/student/model.safetensors")));
    }

    /** YARN starts the driver anew on the other node; what was committed is not scored again. */
    @Test
    void labelGoesOnAfterTheLossOfTheDriversNode() throws Exception {
        run("label", ON_GPUS, "undisturbed");
        Process client = begin("label", ON_GPUS, "disturbed");
        Eventually.until(() -> files("disturbed").size() >= 3, cluster::containers);
        cluster.lose(cluster.nodeOf(DRIVER));
        assertEquals(0, cluster.await("label", client), cluster::containers);
        long scored = report("disturbed").path("label").path("scoredTokens").asLong();
        assertTrue(scored > 0 && scored < report("undisturbed").path("label").path("scoredTokens").asLong(), scored + " tokens scored by the second driver");
        assertEquals(labels("undisturbed"), labels("disturbed"));
    }

    /** The parts of rounds that workers have begun so far. */
    private int rounds() {
        return cluster.containers().split("LocalSteps: worker \\d+ trains steps", -1).length - 1;
    }

    /** YARN's own report is all that a user sees who does not fetch the containers' logs. */
    @Test
    void whatAUserCanFixIsToldByTheClient() throws Exception {
        Process client = cluster.begin("label", withConf(ON_GPUS, "none"), List.of("--conf", "none.conf", "--set", "corpus.path=" + folder.resolve("nowhere")));
        assertTrue(cluster.await("label", client) != 0);
        String said = YarnCluster.read(cluster.log("label"));
        assertTrue(said.contains("potstill ended with status 2: ") && said.contains(folder.resolve("nowhere").toString()), said);
    }

    private void loseTheOtherNode() throws InterruptedException {
        String driver = cluster.nodeOf(DRIVER);
        cluster.lose(cluster.nodes().stream().filter(node -> !node.equals(driver)).findFirst().orElseThrow());
    }

    private void run(String job, List<String> options, String name) throws Exception {
        assertEquals(0, cluster.await(job, begin(job, options, name)), () -> YarnCluster.read(cluster.log(job)) + cluster.containers());
    }

    private Process begin(String job, List<String> options, String name) throws IOException {
        return cluster.begin(job, withConf(options, name), List.of("--conf", name + ".conf"));
    }

    /** The file of settings travels with the job. */
    private List<String> withConf(List<String> options, String name) {
        Path conf = folder.resolve(name + ".conf");
        Distillery.write(conf, """
                corpus { path = "%s", holdout = 0.1 }
                teacher { path = "%s", device = cpu, scratch = "%s" }
                cache { path = "%s", shard-tokens = 4000 }
                targets.k = 8
                sequence-length = 32
                student { path = "%s", hidden-size = 64, intermediate-size = 128, layers = 2, heads = 2, kv-heads = 1 }
                train { batch-size = 8, local-steps = 20, workers = 2, checkpoint-rounds = 2 }
                """.formatted(distillery.corpus(), distillery.teacher(), folder.resolve("scratch"), folder.resolve(name + "/cache"),
                folder.resolve(name + "/student")));
        List<String> all = new ArrayList<>(options);
        all.addAll(List.of("--files", conf.toString()));
        return all;
    }

    private JsonNode report(String name) throws IOException {
        return JSON.readTree(folder.resolve(name + "/student/report/report.json").toFile());
    }

    private List<Path> files(String name) {
        Path cache = folder.resolve(name + "/cache");
        if (!Files.exists(cache)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(cache)) {
            return files.filter(file -> file.getParent().endsWith("labels") && file.getFileName().toString().matches("[^._].*\\.parquet")).toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** The cache's rows by key. */
    private Map<String, String> labels(String name) {
        Map<String, String> rows = new TreeMap<>();
        String[] paths = files(name).stream().map(Path::toString).toArray(String[]::new);
        for (Row row : Distillery.spark().read().parquet(paths).selectExpr("key", "to_json(struct(*)) row").collectAsList()) {
            String other = rows.put(row.getString(0), row.getString(1));
            assertTrue(other == null || other.equals(row.getString(1)), "two rows of one key: " + other + ", " + row);
        }
        return rows;
    }
}
