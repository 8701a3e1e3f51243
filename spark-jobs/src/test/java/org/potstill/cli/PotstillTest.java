// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.spark.Distillery;

class PotstillTest {
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
        "evaluate.corpora.a=~: evaluate.corpora.a: only shells", "teacher.scratch=s3a://b/x: teacher.scratch: local disk"})
    void aValueThatCannotBeUsedIsBlamedItself(String example) {
        String[] parts = example.split(": ");
        Result result = run("label", "--set", parts[0]);
        assertEquals(2, result.status());
        assertTrue(result.err().startsWith("potstill: invalid value for '" + parts[1] + "'") && result.err().contains(parts[2]), result.err());
    }

    @Test
    void aFileWithoutANameIsNoFile() {
        assertTrue(run("label", "--conf", "").err().contains("--conf names no file"));
    }

    @Test
    void aNotebooksProcessIsNotEnded() {
        Distillery.spark();
        IllegalStateException ended = assertThrows(IllegalStateException.class, () -> Potstill.main(new String[] {"label", "--set", "train.epoch=1"}));
        assertTrue(ended.getMessage().contains("status 2"), ended.getMessage());
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
