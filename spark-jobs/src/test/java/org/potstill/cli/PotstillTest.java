// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.spark.Distillery;

class PotstillTest {
    @TempDir
    private Path folder;

    record Result(int status, String out, String err) {
    }

    static Result run(String... args) {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream capturedOut = new ByteArrayOutputStream();
        ByteArrayOutputStream capturedErr = new ByteArrayOutputStream();
        try {
            System.setOut(new PrintStream(capturedOut, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(capturedErr, true, StandardCharsets.UTF_8));
            return new Result(Potstill.run(args), capturedOut.toString(StandardCharsets.UTF_8), capturedErr.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"distil", "prune", "label", "train", "evaluate", "export", "cache inspect", "cache verify"})
    void everyCommandsHelpShowsAnExampleAndWhatItNeeds(String command) {
        Result result = run((command + " --help").split(" "));
        assertEquals(0, result.status());
        assertTrue(result.out().contains("potstill " + command + " --conf"), result.out());
        assertTrue(result.out().contains("Needs "), result.out());
    }

    @Test
    void noCommandShowsTheUsageAndFails() {
        Result result = run();
        assertEquals(2, result.status());
        assertTrue(result.err().contains("label") && result.err().contains("evaluate"));
    }

    @Test
    void aUserErrorIsToldWithoutAStackTraceAndHasItsOwnStatus() {
        Result result = run("label", "--set", "train.epoch=1");
        assertEquals(2, result.status());
        assertTrue(result.err().startsWith("potstill: unknown configuration key 'train.epoch'"), result.err());
        assertTrue(result.err().contains("cause:") && result.err().contains("remedy:"));
        assertFalse(result.err().contains("\tat "));
    }

    @Test
    void whatALaterStepCannotUseIsToldByTheFirstAndAllAtOnce() {
        Result result = run("label", "--set", "train.beta1=2", "--set", "evaluate.texts=-1", "--set", "student.family=gpt", "--set", "export.format=pt");
        assertEquals(2, result.status());
        assertTrue(result.err().startsWith("potstill: 4 settings cannot be used"), result.err());
        for (String key : List.of("train.beta1", "evaluate.texts", "student.family", "export.format")) {
            assertTrue(result.err().contains("'" + key + "'"), result.err());
        }
        assertTrue(run("label", "--set", "spark.executor.memory=abc").err().startsWith("potstill: invalid value for 'spark.executor.memory'"));
        assertTrue(run("label", "--set", "student.kv-heads=3").err().contains("student.kv-heads"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"label: teacher.path corpus.path cache.path", "train: cache.path student.path", "evaluate: teacher.path corpus.path student.path",
        "prune: corpus.path prune.path teacher.path", "distil: teacher.path corpus.path cache.path student.path", "export --to hf --output x: student.path",
        "cache inspect: cache.path", "cache verify: cache.path", "cache verify --sample 1: cache.path teacher.path", "cache compact: cache.path", "cache prune: cache.path"})
    void allMissingSettingsAreNamedAtOnceAndNoOthers(String commandAndKeys) {
        String[] parts = commandAndKeys.split(": ");
        Result result = run(parts[0].split(" "));
        assertEquals(2, result.status());
        String keys = String.join(", ", List.of(parts[1].split(" ")).stream().map(key -> "'" + key + "'").toList());
        assertTrue(result.err().startsWith("potstill: " + keys + (keys.contains(",") ? " are" : " is") + " not set"), result.err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"train.learning-rate=0: train.learning-rate: train.min-learning-rate, 1.0E-4, is more", "train.min-learning-rate=1: train.min-learning-rate: is more",
        "train.beta1=1: train.beta1: below 1", "train.beta2=1: train.beta2: below 1", "train.epsilon=0: train.epsilon: above 0", "train.outer-momentum=1: train.outer-momentum: below 1",
        "train.precision=fp16: train.precision: [fp32, bf16, auto]", "cache.path=~/x: cache.path: only shells expand ~", "teacher.path=C:\\x: teacher.path: /mnt/c/x",
        "evaluate.corpora.a=~: evaluate.corpora.a: only shells", "teacher.scratch=s3a://b/x: teacher.scratch: local disk", "cache.path= /x: cache.path: begins or ends with a blank",
        "student.path=\"/x \": student.path: begins or ends with a blank", "corpus.path=\n/x: corpus.path: line break", "teacher.scratch=/x\u00a0: teacher.scratch: blank",
        "corpus.path=FILE:/x: corpus.path: write file:/x", "cache.path=S3A://b/x: cache.path: write s3a://b/x", "spark.local.dir=/a,~/b: spark.local.dir: only shells",
        "spark.eventLog.dir=~/b: spark.eventLog.dir: only shells", "train.epochs=99999999999: train.epochs: 99999999999 is not between 1 and ",
        "seed=9223372036854775808: seed: not between -9223372036854775808 and 9223372036854775807"})
    void aValueThatCannotBeUsedIsBlamedItself(String example) {
        String[] parts = example.split(": ");
        Result result = run("label", "--set", parts[0]);
        assertEquals(2, result.status());
        assertTrue(result.err().startsWith("potstill: invalid value for '" + parts[1] + "'") && result.err().contains(parts[2]), result.err());
    }

    @ParameterizedTest
    @CsvSource({"export --to hf --output,--output", "export --to gguf --output x.gguf --text,--text", "generate --prompt a --model,--model", "cache verify --teacher,--teacher",
        "label --conf,configuration"})
    void anOptionsPathIsCheckedLikeASettings(String command, String named) {
        for (String[] path : new String[][] {{"~/x", "only shells expand ~"}, {"/x ", "a blank"}, {"File:/x", "write file:/x"}, {"C:\\x", "/mnt/c/x"}}) {
            List<String> args = new ArrayList<>(List.of(command.split(" ")));
            args.add(path[0]);
            Result result = run(args.toArray(String[]::new));
            assertEquals(2, result.status());
            assertTrue(result.err().contains(named) && result.err().contains(path[1]), result.err());
        }
    }

    @Test
    void anOptionsPathNeedsAFileSystem() {
        for (String option : List.of("export --to hf --output", "generate --prompt a --model")) {
            Result result = run((option + " none://b/x").split(" "));
            assertEquals(2, result.status());
            assertTrue(result.err().contains("cannot reach none://b/x (--") && result.err().contains("spark.hadoop.fs.none.impl"), result.err());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"label: cache.path=F teacher.path=file:F", "label: cache.path=F student.path=F/../f", "label: report.path=F teacher.path=F", "train: student.path=F cache.path=F",
        "train: student.path=F corpus.path=F", "train: report.path=F student.path=F", "prune: prune.path=F prune.model=F", "evaluate: report.path=F evaluate.tasks.a=F",
        "distil: export.path=F cache.path=F/", "distil: student.path=F evaluate.corpora.a=F", "export --to hf --output F: student.path=F", "export --to gguf --output F.gguf: teacher.path=F.gguf",
        "generate --prompt a --model F: teacher.scratch=F"})
    void whatACommandWritesIsApartFromAllElse(String example) {
        String[] parts = example.replace("F", folder.resolve("f").toString()).split(": ");
        List<String> args = new ArrayList<>(List.of(parts[0].split(" ")));
        for (String set : parts[1].split(" ")) {
            args.addAll(List.of("--set", set));
        }
        Result result = run(args.toArray(String[]::new));
        assertEquals(2, result.status());
        assertTrue(result.err().contains("it is the same path as "), result.err());
    }

    @Test
    void aPathThatTwoStepsShareOnPurposePasses() {
        String same = folder.resolve("f").toString();
        for (String[] sets : new String[][] {{"prune.path=" + same, "student.init=" + same, "prune.layers=1"}, {"corpus.path=" + same, "evaluate.corpora.a=" + same},
            {"teacher.path=" + same, "student.init=" + same}}) {
            List<String> args = new ArrayList<>(List.of("train"));
            for (String set : sets) {
                args.addAll(List.of("--set", set));
            }
            // What comes next.
            assertTrue(run(args.toArray(String[]::new)).err().startsWith("potstill: 'cache.path', 'student.path' are not set"));
        }
    }

    @Test
    void aModelsFolderIsNeitherCacheNorReport() throws IOException {
        Distillery.spark();
        Path model = folder.resolve("model");
        Distillery.write(model.resolve("config.json"), "{}");
        for (String key : List.of("cache.path", "report.path")) {
            Result result = label(key + "=" + model);
            assertEquals(2, result.status());
            assertTrue(result.err().contains("as " + key) && result.err().contains("config.json"), result.err());
        }
        try (Stream<Path> files = Files.list(model)) {
            assertEquals(1, files.count());
        }
    }

    @Test
    void aPathThatCannotBeReachedIsNamedByItsSetting() {
        Distillery.spark();
        for (String key : List.of("cache.path", "teacher.path", "corpus.path")) {
            Result result = label(key + "=hdfs://nowhere.invalid/x");
            assertEquals(2, result.status());
            assertTrue(result.err().contains("hdfs://nowhere.invalid/x (" + key + ")") && result.err().contains("unknown host: nowhere.invalid"), result.err());
        }
    }

    private Result label(String set) {
        return run("label", "--set", "corpus.path=" + folder, "--set", "teacher.path=" + folder.resolve("teacher"), "--set", "cache.path=" + folder.resolve("cache"), "--set", set);
    }

    @Test
    void aFileWithoutANameIsNoFile() {
        assertTrue(run("label", "--conf", "").err().contains("--conf names no file"));
    }

    @Test
    void aNotebooksProcessIsNotEnded() {
        Distillery.spark();
        IllegalStateException ended = assertThrows(IllegalStateException.class, () -> Potstill.main(new String[] {"label", "--set", "train.epoch=1"}));
        assertTrue(ended.getMessage().contains("status 2: ") && ended.getMessage().contains("train.epoch"), ended.getMessage());
    }

    @Test
    void theVersionIsTheBuilds() {
        assertTrue(run("--version").out().matches("potstill \\d+\\.\\d+.*\\s*"), run("--version").out());
    }

    @Test
    void theDefaultsExplainEveryKey() {
        Result result = run("defaults");
        assertEquals(0, result.status());
        assertTrue(result.out().contains("local-steps = 16"));
    }
}
