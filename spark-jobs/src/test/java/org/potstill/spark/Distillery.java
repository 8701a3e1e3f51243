// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.apache.commons.io.FileUtils;
import org.apache.spark.sql.SparkSession;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.spark.settings.Settings;

/** A tiny teacher, a small corpus and settings in a folder: what the tests of the jobs begin with. */
public final class Distillery {
    private static final String[] WORDS = ("the of and to in is that for it was on with as by the at be this from are have an or "
            + "not which one all their has been more other some time water still pot copper spirit grain barley yeast wash low wines "
            + "feints cut heart cask oak years taste smoke peat").split(" ");
    private static SparkSession spark;

    private final Path folder;

    public Distillery(Path folder) {
        this.folder = folder;
        TinyLlama.write(teacher(), 7);
        for (int i = 0; i < 12; i++) {
            write(corpus().resolve("doc-" + i + ".txt"), text(i, 120));
        }
    }

    /** One whose cache is a copy of another's, labelled before. */
    public static Distillery withCacheOf(Distillery labelled, Path folder) throws IOException {
        FileUtils.copyDirectory(labelled.path("cache").toFile(), folder.resolve("cache").toFile());
        return new Distillery(folder);
    }

    /** Two task slots in this JVM, one session for all tests; only its own may speak to it. */
    public static synchronized SparkSession spark() {
        if (spark == null) {
            spark = SparkSession.builder().master("local[2]").appName("tests")
                    .config("spark.ui.enabled", "false")
                    .config("spark.sql.artifact.isolation.enabled", "false")
                    .config("spark.locality.wait", "0s")
                    .config("spark.authenticate", "true")
                    .config("spark.network.crypto.enabled", "true")
                    .config("spark.potstill.io.connectionTimeout", "10s")
                    .config("spark.executor.heartbeatInterval", "1s")
                    .config("spark.sql.shuffle.partitions", "2")
                    .config("spark.sql.warehouse.dir", System.getProperty("java.io.tmpdir") + "/potstill-test-warehouse")
                    .getOrCreate();
        }
        return spark;
    }

    public Path teacher() {
        return folder.resolve("teacher.gguf");
    }

    public Path corpus() {
        return folder.resolve("corpus");
    }

    public Path path(String name) {
        return folder.resolve(name);
    }

    /** Settings of a run that takes seconds. */
    public Settings settings(String... overrides) {
        java.util.List<String> all = new java.util.ArrayList<>(java.util.List.of(
                "corpus.path=" + corpus(), "corpus.holdout=0.2", "teacher.path=" + teacher(), "teacher.device=cpu",
                "teacher.scratch=" + path("scratch"), "cache.path=" + path("cache"), "cache.shard-tokens=400",
                "targets.k=8", "sequence-length=32", "batch-tokens=128", "student.path=" + path("student"),
                "student.hidden-size=16", "student.intermediate-size=32", "student.layers=2", "student.heads=2",
                "student.kv-heads=1", "train.batch-size=4", "train.workers=2", "train.local-steps=2", "train.learning-rate=0.01"));
        all.addAll(java.util.List.of(overrides));
        return Settings.load(java.util.List.of(), all);
    }

    public static String text(long seed, int words) {
        Random random = new Random(seed);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < words; i++) {
            text.append(WORDS[random.nextInt(WORDS.length)]).append(i % 11 == 10 ? ". " : " ");
        }
        return text.toString();
    }

    public static void write(Path file, String text) {
        write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    public static void write(Path file, byte[] bytes) {
        try {
            Files.createDirectories(file.getParent());
            Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
