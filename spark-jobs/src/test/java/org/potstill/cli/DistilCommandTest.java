// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.io.FileUtils;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.spark.Distillery;

class DistilCommandTest {
    private static final CausalLmConfig SHAPE = new CausalLmConfig(320, 64, 48, 4, 4, 2, 16, 256, 1e-5f, 10_000f, true);

    /** Every test leaves in it what the first run made, whole. */
    @TempDir
    private static Path folder;
    private static Distillery distillery;
    private static PotstillTest.Result first;

    @BeforeAll
    static void distilOnce() {
        distillery = new Distillery(folder);
        TinyLlama.write(distillery.teacher(), 9, SHAPE);
        Distillery.spark();
        first = distil();
    }

    private static PotstillTest.Result distil(String... more) {
        List<String> args = new ArrayList<>(List.of("distil"));
        for (String setting : new String[] {"corpus.path=" + distillery.corpus(), "corpus.holdout=0.2", "teacher.path=" + distillery.teacher(),
            "teacher.device=cpu", "teacher.scratch=" + folder.resolve("scratch"), "cache.path=" + folder.resolve("cache"), "targets.k=8",
            "sequence-length=32", "batch-tokens=128", "student.path=" + folder.resolve("student"), "prune.path=" + folder.resolve("pruned"),
            "prune.layers=3", "prune.calibration-tokens=100", "train.batch-size=4", "train.workers=2", "train.local-steps=2",
            "evaluate.max-tokens=200", "evaluate.speed-tokens=0", "export.path=" + folder.resolve("exported")}) {
            args.addAll(List.of("--set", setting));
        }
        for (String setting : more) {
            args.addAll(List.of("--set", setting));
        }
        return PotstillTest.run(args.toArray(String[]::new));
    }

    @Test
    void oneCommandPrunesLabelsTrainsEvaluatesAndExports() throws IOException {
        assertEquals(0, first.status(), first.err());
        assertTrue(first.out().contains("kept 3 of 4 layers"), first.out());
        assertTrue(Files.exists(folder.resolve("student/report/report.html")));
        try (Checkpoint exported = Checkpoints.open(folder.resolve("exported")); Checkpoint student = Checkpoints.open(folder.resolve("student"))) {
            assertEquals(3, exported.config().numHiddenLayers());
            assertEquals(student.config(), exported.config());
        }
    }

    @Test
    void aSecondRunDoesNothingThatIsDone() throws IOException {
        var exported = Files.getLastModifiedTime(folder.resolve("exported/model.safetensors"));
        PotstillTest.Result again = distil();
        assertEquals(0, again.status(), again.err());
        assertTrue(again.out().contains("scored 0 tokens"), again.out());
        assertTrue(again.out().contains("evaluated already"), again.out());
        assertEquals(exported, Files.getLastModifiedTime(folder.resolve("exported/model.safetensors")));
        PotstillTest.Result other = distil("evaluate.max-tokens=100");
        assertFalse(other.out().contains("evaluated already"), other.out());
    }

    @Test
    void whatIsMissingOfADoneStepIsDoneAgainAndForeignFilesStay() throws IOException {
        FileUtils.deleteDirectory(folder.resolve("exported").toFile());
        FileUtils.deleteDirectory(folder.resolve("student/report").toFile());
        PotstillTest.Result again = distil();
        assertEquals(0, again.status(), again.err());
        assertFalse(again.out().contains("evaluated already"), again.out());
        assertTrue(Files.exists(folder.resolve("exported/config.json")));
        Path theirs = Files.createDirectories(folder.resolve("theirs"));
        Files.writeString(theirs.resolve("README.md"), "theirs");
        assertEquals(2, distil("export.path=" + theirs).status());
        assertEquals("theirs", Files.readString(theirs.resolve("README.md")));
    }

    @Test
    void whatDoesNotFitTogetherIsRefusedAtOnce() {
        for (String[] bad : new String[][] {{"prune.path="}, {"prune.path=" + folder.resolve("student")}, {"export.path=" + folder.resolve("pruned")},
            {"export.format=zip"}}) {
            PotstillTest.Result result = distil(bad);
            assertEquals(2, result.status(), bad[0]);
            assertFalse(result.out().contains("== "), result.out());
        }
    }

    @Test
    void aStudentIsNotWrittenOverAnotherModelAndNothingIsDoneBefore() throws IOException {
        Path theirs = Files.createDirectories(folder.resolve("another"));
        Files.writeString(theirs.resolve("config.json"), "{}");
        PotstillTest.Result result = distil("student.path=" + theirs);
        assertEquals(2, result.status());
        assertFalse(result.out().contains("== "), result.out());
        assertTrue(result.err().contains("config.json"), result.err());
    }

    @Test
    void oneFolderUnderTwoSpellingsIsRefused() throws IOException {
        Files.createSymbolicLink(folder.resolve("link"), Files.createDirectories(folder.resolve("real")));
        for (String same : List.of("file:" + folder.resolve("real"), folder.resolve("link") + "/", folder.resolve("cache/../real").toString())) {
            PotstillTest.Result result = distil("student.path=" + folder.resolve("real"), "prune.path=" + same);
            assertEquals(2, result.status());
            assertTrue(result.err().contains("it is the same path as "), result.err());
        }
    }

    @Test
    void anotherStartThanThePrunedModelIsRefused() {
        PotstillTest.Result result = distil("student.init=" + distillery.teacher());
        assertEquals(2, result.status());
        assertTrue(result.err().contains("student.init"), result.err());
    }
}
