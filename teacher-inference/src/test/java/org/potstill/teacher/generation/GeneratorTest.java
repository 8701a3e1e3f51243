// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.errors.UserException;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

class GeneratorTest {
    @TempDir
    Path folder;
    private Path model;

    @BeforeEach
    void writeTheModel() {
        model = folder.resolve("tiny.gguf");
        TinyLlama.write(model, 6);
    }

    private Generator.Written write(String prompt, int tokens, SamplingOptions sampling, StringBuilder text) {
        return write(prompt, tokens, sampling, Precision.FP32, text);
    }

    private Generator.Written write(String prompt, int tokens, SamplingOptions sampling, Precision precision, StringBuilder text) {
        try (Checkpoint checkpoint = Checkpoints.open(model); Tokenizer tokenizer = new Tokenizer(checkpoint.tokenizer());
                Generator generator = new Generator(checkpoint, tokenizer, 2, folder.resolve("scratch"), precision)) {
            return generator.write(tokenizer.encode(prompt), tokens, sampling, text::append);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "INT8"})
    void greedyTextIsWhatTheTeachersLogitsSayTokenByToken(Precision precision) {
        StringBuilder text = new StringBuilder();
        Generator.Written written = write("the still", 40, SamplingOptions.GREEDY, precision, text);
        try (Checkpoint checkpoint = Checkpoints.open(model); Tokenizer tokenizer = new Tokenizer(checkpoint.tokenizer());
                Teacher teacher = OnnxTeacher.open(model,
                        new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch")).with(precision))) {
            int[] ids = tokenizer.encode("the still");
            int prompt = ids.length;
            assertEquals(prompt, written.promptTokens());
            Sampler greedy = new Sampler(SamplingOptions.GREEDY);
            for (int i = 0; i < written.tokens(); i++) {
                float[] logits = teacher.logits(ids);
                int next = greedy.next(Arrays.copyOfRange(logits, logits.length - 320, logits.length));
                ids = Arrays.copyOf(ids, ids.length + 1);
                ids[ids.length - 1] = next;
            }
            int[] told = Arrays.copyOfRange(ids, prompt, ids.length - (ids[ids.length - 1] == TinyLlama.END_OF_TEXT ? 1 : 0));
            assertEquals(tokenizer.decode(told), text.toString());
        }
    }

    @Test
    void theSameSeedWritesTheSameText() {
        List<String> texts = new ArrayList<>();
        for (long seed : new long[] {1, 1, 2}) {
            StringBuilder text = new StringBuilder();
            write("the", 30, new SamplingOptions(1, 50, 0.95, seed), text);
            texts.add(text.toString());
        }
        assertEquals(texts.get(0), texts.get(1));
        assertNotEquals(texts.get(0), texts.get(2));
    }

    @Test
    void aTextEndsWhereTheModelEndsItAndWhereItsContextIsFull() {
        // This temperature draws from all 320 tokens alike; one of them is the end.
        Generator.Written ended = null;
        for (long seed = 0; seed < 200 && ended == null; seed++) {
            Generator.Written written = write("a", 200, new SamplingOptions(100, 0, 1, seed), new StringBuilder());
            ended = written.tokens() < 200 ? written : null;
        }
        assertTrue(ended != null, "never ended");
        try (Checkpoint checkpoint = Checkpoints.open(model); Tokenizer tokenizer = new Tokenizer(checkpoint.tokenizer());
                Generator generator = new Generator(checkpoint, tokenizer, 2, folder.resolve("scratch"))) {
            int[] prompt = new int[250];
            Arrays.fill(prompt, 5);
            int most = 0;
            for (long seed = 0; seed < 5; seed++) {
                most = Math.max(most, generator.write(prompt, 100, new SamplingOptions(1, 0, 1, seed), text -> { }).tokens());
            }
            // Of 256 positions six are left, and the token after the last is written, but not read.
            assertEquals(7, most);
            assertThrows(UserException.class, () -> generator.write(new int[257], 1, SamplingOptions.GREEDY, text -> { }));
            assertThrows(UserException.class, () -> generator.write(new int[] {320}, 1, SamplingOptions.GREEDY, text -> { }));
            assertThrows(UserException.class, () -> generator.write(new int[0], 1, SamplingOptions.GREEDY, text -> { }));
        }
    }

    @Test
    void charactersComeWholeHoweverTheirBytesAreCut() {
        String text = "é 日本 😀! \ufffd end";
        try (Checkpoint checkpoint = Checkpoints.open(model); Tokenizer tokenizer = new Tokenizer(checkpoint.tokenizer())) {
            TextStream stream = new TextStream(tokenizer);
            StringBuilder told = new StringBuilder();
            int pieces = 0;
            for (int id : tokenizer.encode(text)) {
                String piece = stream.add(id);
                assertTrue(!piece.endsWith("\ufffd"), piece);
                told.append(piece);
                pieces += piece.isEmpty() ? 0 : 1;
            }
            assertEquals(text, told + stream.end());
            assertTrue(pieces > 8, "told at once");
            // The first two bytes of three.
            TextStream cut = new TextStream(tokenizer);
            int[] ids = tokenizer.encode("日");
            assertEquals("", cut.add(ids[0]) + cut.add(ids[1]));
            assertEquals("\ufffd", cut.end());
        }
    }
}
