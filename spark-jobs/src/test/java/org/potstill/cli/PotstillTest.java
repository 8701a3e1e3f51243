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
