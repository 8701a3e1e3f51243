// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.Distillery;
import org.potstill.spark.TwoTeachers;

/** The commands where several teachers share the corpus. */
class TwoTeachersTest {
    @TempDir
    private static Path folder;
    private static TwoTeachers teachers;
    private static PotstillTest.Result first;

    @BeforeAll
    static void distilOnce() {
        teachers = new TwoTeachers(folder);
        teachers.write(24);
        Distillery.write(folder.resolve("teachers.conf"), "teachers {\n  code { path = \"" + teachers.coder() + "\", where = \"" + TwoTeachers.CODE
                + "\" }\n  general { path = \"" + teachers.general() + "\" }\n}\n");
        Distillery.spark();
        first = run("distil", "evaluate.max-tokens=200", "evaluate.speed-tokens=0", "export.path=" + folder.resolve("exported"));
    }

    private static PotstillTest.Result run(String command, String... more) {
        List<String> args = new ArrayList<>(List.of(command.split(" ")));
        args.addAll(List.of("--conf", folder.resolve("teachers.conf").toString()));
        for (String setting : new String[] {"corpus.path=" + teachers.corpus(), "corpus.format=json", "corpus.id-field=id", "corpus.holdout=0.2",
            "teacher.device=cpu", "teacher.scratch=" + folder.resolve("scratch"), "cache.path=" + folder.resolve("cache"), "targets.k=8",
            "sequence-length=32", "batch-tokens=128", "student.path=" + folder.resolve("student"), "student.hidden-size=16",
            "student.intermediate-size=32", "student.layers=2", "student.heads=2", "student.kv-heads=1", "train.batch-size=4", "train.workers=2"}) {
            args.addAll(List.of("--set", setting));
        }
        for (String setting : more) {
            args.addAll(setting.startsWith("--") ? List.of(setting.split(" ")) : List.of("--set", setting));
        }
        return PotstillTest.run(args.toArray(String[]::new));
    }

    @Test
    void oneCommandDistilsFromBothAndSaysSo() throws IOException {
        assertEquals(0, first.status(), first.err());
        for (String said : List.of("code: scored", "general: scored", "against the teacher 'code'", "against the teacher 'general'", "each against its document's teacher")) {
            assertTrue(first.out().contains(said), said + " in " + first.out());
        }
        JsonNode report = new ObjectMapper().readTree(folder.resolve("student/report/report.json").toFile());
        assertTrue(report.path("label").path("teachers").path("code").path("scoredTokens").asLong() > 0);
        String page = Files.readString(folder.resolve("student/report/report.md"));
        for (String heading : List.of("The student has several teachers", "Compared with the teacher code, on its documents", "The pass of the teacher general",
                "code-prediction.svg", "general-student.svg")) {
            assertTrue(page.contains(heading), heading);
        }
        String card = Files.readString(folder.resolve("exported/README.md"));
        assertTrue(card.contains("A student of coder.gguf and teacher.gguf") && card.contains("| teacher code | coder.gguf, SHA-256 "), card);
    }

    @Test
    void theSameCommandDoesNothingAgain() throws IOException {
        byte[] weights = Files.readAllBytes(folder.resolve("student/model.safetensors"));
        PotstillTest.Result again = run("distil", "evaluate.max-tokens=200", "evaluate.speed-tokens=0", "export.path=" + folder.resolve("exported"));
        assertEquals(0, again.status(), again.err());
        assertTrue(again.out().contains("code: scored 0 tokens") && again.out().contains("general: scored 0 tokens")
                && again.out().contains("evaluated already"), again.out());
        assertEquals(-1, java.util.Arrays.mismatch(weights, Files.readAllBytes(folder.resolve("student/model.safetensors"))));
    }

    @Test
    void theCacheIsInspectedVerifiedAndPrunedTeacherByTeacher() {
        PotstillTest.Result inspected = run("cache inspect");
        assertEquals(0, inspected.status(), inspected.err());
        assertEquals(2, inspected.out().split("this teacher's part of a corpus that code, general share", -1).length - 1, inspected.out());
        PotstillTest.Result sequence = run("cache inspect", "--document d1");
        assertTrue(sequence.status() == 0 || sequence.err().contains("it is not in the current snapshot"), sequence.err());
        PotstillTest.Result verified = run("cache verify", "--sample 4");
        assertEquals(0, verified.status(), verified.err());
        PotstillTest.Result pruned = run("cache prune", "--dry-run");
        assertEquals(0, pruned.status(), pruned.err());
        assertEquals(2, pruned.out().split("; 0 files of 0 bytes deleted", -1).length - 1, pruned.out());
    }

    @Test
    void whatUsesOneTeacherSaysSo() {
        PotstillTest.Result written = run("write", "write.path=" + folder.resolve("answers"));
        assertEquals(2, written.status());
        assertTrue(written.err().contains("'write' uses one teacher"), written.err());
        PotstillTest.Result pruned = run("prune", "prune.path=" + folder.resolve("pruned"), "prune.layers=1");
        assertTrue(pruned.status() == 2 && pruned.err().contains("'prune.model' is not set"), pruned.err());
        PotstillTest.Result both = run("label", "teacher.path=" + teachers.general());
        assertTrue(both.status() == 2 && both.err().contains("teacher.path") && both.err().contains("several teachers (code, general)"), both.err());
        PotstillTest.Result lines = run("label", "corpus.format=jsonl");
        assertTrue(lines.status() == 2 && lines.err().contains("teachers.code.where") && lines.err().contains("corpus.query"), lines.err());
    }
}
