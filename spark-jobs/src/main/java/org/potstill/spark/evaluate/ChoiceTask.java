// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * A multiple-choice task: JSON lines, each with {@code context}, {@code choices} and {@code answer}, the zero-based number of the
 * right choice or its text.
 *
 * @param name      name in the settings
 * @param questions the first questions of the file
 */
record ChoiceTask(String name, List<Item> questions) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MAX_LINE = 1 << 20;
    private static final int MAX_CHOICES = 256;

    record Item(String context, List<String> choices, int answer) {
    }

    /**
     * Reads a task.
     *
     * @throws org.potstill.errors.UserException if the file cannot be read or a line is not a question
     */
    static ChoiceTask read(String name, String path, int maxQuestions, Configuration hadoop) {
        List<Item> questions = new ArrayList<>();
        try {
            Path file = new Path(path);
            try (InputStream in = file.getFileSystem(hadoop).open(file);
                    BufferedReader reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
                StringBuilder line = new StringBuilder();
                for (int number = 1; questions.size() < maxQuestions && readLine(reader, line); number++) {
                    if (line.length() > MAX_LINE) {
                        throw EvaluateErrors.badTask(name, path, number, "it is longer than " + MAX_LINE + " characters");
                    }
                    if (!line.toString().isBlank()) {
                        questions.add(item(name, path, number, line.toString()));
                    }
                }
            }
        } catch (IOException | IllegalArgumentException e) {
            throw EvaluateErrors.unreadableTask(name, path, e);
        }
        if (questions.isEmpty()) {
            throw EvaluateErrors.badTask(name, path, 1, "the file has no question");
        }
        return new ChoiceTask(name, questions);
    }

    /** Reads a line, but no more of it than shows that it is too long. */
    private static boolean readLine(BufferedReader reader, StringBuilder line) throws IOException {
        line.setLength(0);
        int c = reader.read();
        if (c < 0) {
            return false;
        }
        for (; c >= 0 && c != '\n' && line.length() <= MAX_LINE; c = reader.read()) {
            line.append((char) c);
        }
        return true;
    }

    private static Item item(String name, String path, int number, String line) {
        JsonNode json;
        try {
            json = JSON.readTree(line);
        } catch (JsonProcessingException e) {
            throw EvaluateErrors.badTask(name, path, number, "it is not JSON: " + e.getOriginalMessage());
        }
        JsonNode choices = json.path("choices");
        if (!json.path("context").isTextual() || !choices.isArray() || choices.size() < 2 || choices.size() > MAX_CHOICES) {
            throw EvaluateErrors.badTask(name, path, number, "it needs \"context\", a text, and \"choices\", a list of 2 to " + MAX_CHOICES + " texts");
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode choice : choices) {
            if (!choice.isTextual() || choice.textValue().isEmpty()) {
                throw EvaluateErrors.badTask(name, path, number, "a choice is not a text, or is empty");
            }
            texts.add(choice.textValue());
        }
        JsonNode answer = json.path("answer");
        int right = answer.isTextual() ? texts.indexOf(answer.textValue()) : answer.isInt() ? answer.intValue() : -1;
        if (right < 0 || right >= texts.size()) {
            throw EvaluateErrors.badTask(name, path, number, "\"answer\" is neither the number of a choice, from 0, nor the text of one");
        }
        return new Item(json.path("context").textValue(), texts, right);
    }

    /**
     * Scores the answers.
     *
     * @param likelihoods log-likelihoods by question and choice; ties go to the lowest choice, as in lm-eval
     */
    TaskScore.Answers answers(double[][] likelihoods) {
        int right = 0;
        int rightByByte = 0;
        for (int q = 0; q < questions.size(); q++) {
            Item item = questions.get(q);
            double[] perByte = likelihoods[q].clone();
            for (int c = 0; c < perByte.length; c++) {
                perByte[c] /= item.choices.get(c).getBytes(StandardCharsets.UTF_8).length;
            }
            right += largest(likelihoods[q]) == item.answer ? 1 : 0;
            rightByByte += largest(perByte) == item.answer ? 1 : 0;
        }
        double n = questions.size();
        return new TaskScore.Answers(right / n, standardError(right / n, n), rightByByte / n, standardError(rightByByte / n, n));
    }

    /** Returns the index of the largest value; NaN, from overflow in the model, counts as the smallest. */
    private static int largest(double[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            best = values[i] > values[best] || Double.isNaN(values[best]) && !Double.isNaN(values[i]) ? i : best;
        }
        return best;
    }

    /** Returns the standard error of a mean of zeros and ones, from the sample variance. */
    private static double standardError(double mean, double n) {
        return n < 2 ? 0 : Math.sqrt(mean * (1 - mean) / (n - 1));
    }

    /** Returns the expected accuracy of guessing. */
    double chance() {
        return questions.stream().mapToDouble(item -> 1.0 / item.choices.size()).average().orElse(0);
    }
}
