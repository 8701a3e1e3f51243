// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.teacher.Teachers;

class ChoiceTaskTest {
    @TempDir
    private Path folder;

    private ChoiceTask read(String lines, int max) {
        Path file = folder.resolve("task.jsonl");
        Distillery.write(file, lines);
        return ChoiceTask.read("facts", file.toString(), max, new Configuration());
    }

    @Test
    void answersAreNumbersOrTextsAndBlankLinesAreNoQuestions() {
        ChoiceTask task = read("""
                {"context": "Two and two make", "choices": ["four", "five"], "answer": 0}

                {"context": "", "choices": ["a", "b", "c", "d"], "answer": "d"}
                {"context": "beyond the limit", "choices": ["a", "b"], "answer": 1}
                """, 2);
        assertEquals(List.of(0, 3), task.questions().stream().map(ChoiceTask.Item::answer).toList());
        assertEquals((0.5 + 0.25) / 2, task.chance());
    }

    @ParameterizedTest
    @ValueSource(strings = {"not JSON", "[]", "{\"context\": \"a\", \"choices\": [\"x\"], \"answer\": 0}",
        "{\"context\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": 2}", "{\"context\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": \"z\"}",
        "{\"context\": \"a\", \"choices\": [\"x\", \"\"], \"answer\": 0}", "{\"context\": \"a\", \"choices\": [\"x\", 3], \"answer\": 0}",
        "{\"context\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": 0.5}", "{\"choices\": [\"x\", \"y\"], \"answer\": 0}"})
    void aLineThatIsNoQuestionIsNamed(String line) {
        UserException error = assertThrows(UserException.class, () -> read("{\"context\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": 0}\n" + line, 10));
        assertTrue(error.problem().contains("line 2 of the task"), error.toString());
        assertTrue(error.remedy().contains("evaluate.tasks.facts"), error.toString());
    }

    @Test
    void aFileWithoutQuestionsAndALineWithoutEndAreRefused() {
        assertTrue(assertThrows(UserException.class, () -> read("\n\n", 10)).cause().contains("no question"));
        assertTrue(assertThrows(UserException.class, () -> read("x".repeat(1 << 21), 10)).cause().contains("longer than"));
        assertTrue(assertThrows(UserException.class, () -> ChoiceTask.read("facts", folder.resolve("none").toString(), 1, new Configuration()))
                .remedy().contains("evaluate.tasks.facts"));
    }

    @Test
    void theLikeliestChoiceAndTheLikeliestByByteAreCounted() {
        ChoiceTask task = new ChoiceTask("t", List.of(new ChoiceTask.Item("c", List.of("ab", "abcdefgh"), 1), new ChoiceTask.Item("c", List.of("é", "ab"), 0),
                new ChoiceTask.Item("c", List.of("x", "y"), 1), new ChoiceTask.Item("c", List.of("x", "y"), 1)));
        // By sum: wrong, right (the first of equals), wrong, right where the other overflows. By byte: −4 and −1; −2 each, as é has two bytes.
        TaskScore.Answers answers = task.answers(new double[][] {{-8, -8.1}, {-4, -4}, {-1, -2}, {Double.NaN, -9}});
        assertEquals(0.5, answers.accuracy());
        assertEquals(0.75, answers.normalisedAccuracy());
        assertEquals(Math.sqrt(0.25 / 3), answers.accuracyError(), 1e-12);
    }

    @Test
    void trailingWhiteSpaceOfTheContextBelongsToTheChoice() {
        TinyLlama.write(folder.resolve("tiny.gguf"), 1);
        try (CausalLm model = Teachers.model(folder.resolve("tiny.gguf")); Tokenizer tokenizer = new Tokenizer(model.tokenizer())) {
            TokenizerDefinition plain = new TokenizerDefinition(model.tokenizer().json(), -1, 0, false);
            TokenizerDefinition withBos = new TokenizerDefinition(model.tokenizer().json(), 0, -1, true);
            // In bytes: the tiny tokenizer has hardly any merges.
            int[] whole = tokenizer.encode("ab\u00a0\n cd");
            Question question = new ChoiceTokenizer(tokenizer, plain).question(0, 0, new ChoiceTask.Item("ab\u00a0\n", List.of("cd", "c"), 0));
            assertArrayEquals(whole, question.choices().get(0).tokens());
            assertEquals(whole.length - tokenizer.encode("ab").length, question.choices().get(0).length());
            Question first = new ChoiceTokenizer(tokenizer, withBos).question(0, 0, new ChoiceTask.Item("ab", List.of("cd", "c"), 0));
            assertEquals(0, first.choices().get(0).tokens()[0]);
            assertEquals(tokenizer.encode("ab cd").length - tokenizer.encode("ab").length, first.choices().get(0).length());
            Question empty = new ChoiceTokenizer(tokenizer, plain).question(0, 0, new ChoiceTask.Item(" ", List.of("cd", "c"), 0));
            assertEquals(0, empty.choices().get(0).tokens()[0], "the token that ends documents begins one");
            assertEquals(empty.choices().get(0).tokens().length - 1, empty.choices().get(0).length());
        }
    }

    @Test
    void contextsTooLongForAModelAreTruncatedOnTheLeft() {
        Question.Choice choice = new Question.Choice(new int[] {1, 2, 3, 4, 5, 6}, 2);
        assertArrayEquals(new int[] {3, 4, 5, 6}, choice.fit(3).tokens());
        assertEquals(2, choice.fit(3).length());
        assertEquals(1, choice.fit(1).length());
        assertArrayEquals(choice.tokens(), choice.fit(5).tokens());
    }
}
