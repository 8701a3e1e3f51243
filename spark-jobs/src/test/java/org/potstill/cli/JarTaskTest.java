// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.Distillery;

/**
 * A jar task of Databricks, as far as a process can tell: the context is there before, {@code main} is called in a thread of the platform's with a
 * class loader of the platform's, several times, and the context is used afterwards. {@code System.exit} would end this test.
 */
class JarTaskTest {
    private static SparkSession spark;

    @TempDir
    private Path folder;
    private Distillery distillery;
    private int persistent;

    @BeforeAll
    static void start() {
        spark = Distillery.spark();
    }

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
        persistent = spark.sparkContext().getPersistentRDDs().size();
    }

    @AfterEach
    void restore() {
        SparkSession.setDefaultSession(spark);
        SparkSession.clearActiveSession();
    }

    /** Calls main and returns what it printed. */
    private String main(String command, String... overrides) throws Exception {
        List<String> args = new ArrayList<>(List.of(command));
        for (String set : new String[] {"corpus.path=" + distillery.corpus(), "corpus.holdout=0.2", "teacher.path=" + distillery.teacher(), "teacher.device=cpu",
            "teacher.scratch=" + folder.resolve("scratch"), "cache.path=" + folder.resolve("cache"), "targets.k=8", "sequence-length=32", "batch-tokens=128",
            "student.path=" + folder.resolve("student"), "student.hidden-size=16", "student.intermediate-size=32", "student.layers=2", "student.heads=2",
            "student.kv-heads=1", "train.batch-size=4", "train.workers=2", "train.local-steps=2"}) {
            args.addAll(List.of("--set", set));
        }
        for (String set : overrides) {
            args.addAll(List.of("--set", set));
        }
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream out = System.out;
        try (URLClassLoader loader = new URLClassLoader(new URL[0], Thread.currentThread().getContextClassLoader())) {
            Thread task = new Thread(() -> {
                try {
                    Potstill.main(args.toArray(String[]::new));
                } catch (Throwable e) {
                    thrown.set(e);
                }
            }, "jar-task");
            task.setContextClassLoader(loader);
            System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
            task.start();
            task.join();
        } finally {
            System.setOut(out);
        }
        if (thrown.get() != null) {
            throw new AssertionError(thrown.get());
        }
        return printed.toString(StandardCharsets.UTF_8);
    }

    private void requireAsBefore() {
        SparkContext context = spark.sparkContext();
        assertFalse(context.isStopped());
        assertEquals(6, new JavaSparkContext(context).parallelize(List.of(1, 2, 3)).reduce(Integer::sum));
        assertEquals(3, spark.range(3).count());
        assertEquals(persistent, context.getPersistentRDDs().size());
    }

    @Test
    void tasksOfAJobFollowEachOtherInAContextThatGoesOn() throws Exception {
        Locale locale = Locale.getDefault();
        try {
            Locale.setDefault(Locale.GERMANY);
            assertFalse(main("label").contains("scored 0 tokens"));
            requireAsBefore();
            assertTrue(main("label").contains("scored 0 tokens"));
            requireAsBefore();
            assertTrue(main("train").contains("the student is in"));
            requireAsBefore();
            assertEquals(Locale.GERMANY, Locale.getDefault());
            assertTrue(Files.exists(folder.resolve("student/report/report.html")));
        } finally {
            Locale.setDefault(locale);
        }
    }

    @Test
    void aContextWithoutASessionIsEnoughAlsoAfterATaskThatFailed() throws Exception {
        Files.createDirectory(folder.resolve("empty"));
        AssertionError failed = assertThrows(AssertionError.class, () -> main("label", "corpus.path=" + folder.resolve("empty")));
        assertTrue(failed.getCause().getMessage().contains("status 2"), failed.toString());
        requireAsBefore();
        SparkSession.clearDefaultSession();
        SparkSession.clearActiveSession();
        assertFalse(main("label").contains("scored 0 tokens"));
        requireAsBefore();
        assertNotNull(SparkSession.builder().getOrCreate());
    }
}
