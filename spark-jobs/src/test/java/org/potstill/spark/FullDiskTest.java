// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.spark.export.ExportFormat;
import org.potstill.spark.export.StudentExport;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.report.Report;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.TrainJob;

/** Disks that fill up: each error names the folder, and the same command goes on once there is room. */
class FullDiskTest {
    private static Distillery labelled;
    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeAll
    static void label(@TempDir Path folder) {
        SmallFileSystem.register(hadoop());
        labelled = new Distillery(folder);
        new LabelJob(Distillery.spark(), labelled.settings()).run();
    }

    @BeforeEach
    void copyTheCache() throws IOException {
        distillery = Distillery.withCacheOf(labelled, folder);
    }

    @AfterEach
    void makeRoom() {
        SmallFileSystem.free(Long.MAX_VALUE, Long.MAX_VALUE);
    }

    private static Configuration hadoop() {
        return Distillery.spark().sparkContext().hadoopConfiguration();
    }

    private String small(String name) {
        return "small://" + folder.resolve(name);
    }

    private static UserException error(Runnable job) {
        return Failures.explain(assertThrows(Exception.class, job::run)).orElseThrow();
    }

    private void train(String student) {
        new TrainJob(Distillery.spark(), distillery.settings("train.checkpoint-rounds=1", "train.keep-checkpoints=100", "student.path=" + student)).run();
    }

    private StudentExport.Made export(String output) {
        return new StudentExport(distillery.settings("student.path=" + distillery.path("student")), hadoop(), Optional.empty())
                .run(new StudentExport.Order(ExportFormat.HF, null, output, false, null));
    }

    @Test
    void aDiskThatIsFullAlreadyIsFoundBeforeAnyWork() {
        SmallFileSystem.free(1000, Long.MAX_VALUE);
        UserException error = error(() -> new Report(distillery.settings("report.path=" + small("report")), hadoop()).requireWritable());
        assertTrue(error.problem().contains("cannot write the report to small:" + folder.resolve("report")), error.getMessage());
        assertTrue(error.cause().contains("disk is full") && error.remedy().contains("run the command again"), error.getMessage());
        assertEquals(List.of(), new HadoopFolder("report", small("report"), hadoop()).names());
    }

    @Test
    void aFullCacheKeepsWhatIsLabelled() throws IOException {
        long bytes = FileUtils.sizeOfDirectory(folder.resolve("cache").toFile());
        FileUtils.deleteDirectory(folder.resolve("cache").toFile());
        SmallFileSystem.free((1 << 16) + bytes / 2, Long.MAX_VALUE);
        UserException error = error(() -> new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + small("cache"))).run());
        assertTrue(error.problem().contains("cannot write the soft labels to small:" + folder.resolve("cache")), error.getMessage());
        makeRoom();
        LabelSummary rest = new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + small("cache"))).run();
        assertTrue(rest.scoredTokens() > 0 && rest.scoredTokens() < rest.corpus().positions(), rest.toString());
    }

    @Test
    void trainingGoesOnFromTheLastCheckpointThatFitted() throws IOException {
        train(distillery.path("undisturbed").toString());
        List<Path> checkpoints;
        try (var files = Files.list(folder.resolve("undisturbed/checkpoints"))) {
            checkpoints = files.sorted().toList();
        }
        long bytes = FileUtils.sizeOfDirectory(checkpoints.get(0).toFile());
        SmallFileSystem.free(1 << 18, bytes / 2);
        UserException error = error(() -> train(small("student")));
        assertTrue(error.problem().contains("not enough space for the student in small:" + folder.resolve("student")), error.getMessage());
        assertTrue(error.cause().matches("[0-9,]+ bytes are needed, and [0-9,]+ are free there"), error.getMessage());
        SmallFileSystem.free((1 << 17) + 2 * bytes + bytes / 2, Long.MAX_VALUE);
        error = error(() -> train(small("student")));
        assertTrue(error.problem().contains("cannot write the student to small:" + folder.resolve("student/checkpoints/step-")), error.getMessage());
        assertTrue(error.remedy().contains("The last good checkpoint is small:"), error.getMessage());
        makeRoom();
        train(small("student"));
        assertArrayEquals(Files.readAllBytes(folder.resolve("undisturbed/model.safetensors")), Files.readAllBytes(folder.resolve("student/model.safetensors")));
    }

    @Test
    void halfAnExportIsNotInTheNextOnesWay() throws IOException {
        train(distillery.path("student").toString());
        long weights = Files.size(folder.resolve("student/model.safetensors"));
        SmallFileSystem.free(1 << 17, weights);
        assertTrue(error(() -> export(small("hf"))).problem().contains("not enough space for the export in small:" + folder.resolve("hf")));
        SmallFileSystem.free((1 << 16) + weights + 100, Long.MAX_VALUE);
        UserException error = error(() -> export(small("hf")));
        assertTrue(error.problem().contains("cannot write the export to small:" + folder.resolve("hf")), error.getMessage());
        assertEquals(List.of(), new HadoopFolder("export", small("hf"), hadoop()).names());
        makeRoom();
        assertTrue(export(small("hf")).bytes() > weights);
    }
}
