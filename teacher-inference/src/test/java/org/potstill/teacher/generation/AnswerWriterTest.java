// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.graph.DecodingLoop;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.teacher.onnx.OnnxEngine;
import org.potstill.teacher.scoring.TeacherOptions;

class AnswerWriterTest {
    private static final WritingLimits LIMITS = new WritingLimits(8, 1 << 24);
    private static final SamplingOptions DRAWN = new SamplingOptions(1, 0, 0.95, 0);

    @TempDir
    Path folder;

    private TeacherOptions options(Precision precision) {
        return new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch")).with(precision);
    }

    private AnswerWriter writer(Checkpoint model, SamplingOptions sampling, WritingLimits limits) {
        return AnswerWriter.open(model, sampling, options(Precision.FP32), limits);
    }

    /** The writer for GPUs, on the CPU. */
    private AnswerWriter loop(Checkpoint model, SamplingOptions sampling, WritingLimits limits) {
        return new LoopWriter(model, sampling, options(Precision.FP32), limits);
    }

    private Checkpoint tiny() {
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 6);
        return Checkpoints.open(file);
    }

    /** Prompts of 1 to 150 tokens, the first of which half of them share. */
    private static List<AnswerRequest> requests(int vocabSize) {
        Random random = new Random(2);
        int[] beginning = random.ints(90, 0, vocabSize).toArray();
        List<AnswerRequest> requests = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            int[] prompt = random.ints(1 + i * i / 4 + i, 0, vocabSize).toArray();
            if (i % 2 == 1) {
                System.arraycopy(beginning, 0, prompt, 0, Math.min(beginning.length, prompt.length));
            }
            requests.add(new AnswerRequest(prompt, i % 4 == 1 ? 30 : 0, 1 + i % 7 * 5, i % 3, 9));
        }
        return requests;
    }

    private static List<Answer> write(AnswerWriter writer, List<AnswerRequest> requests) {
        List<CompletableFuture<Answer>> answers = requests.stream().map(writer::submit).toList();
        return answers.stream().map(CompletableFuture::join).toList();
    }

    private static void assertSame(List<Answer> expected, List<Answer> actual) {
        assertEquals(expected.size(), actual.size());
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i).tokens(), actual.get(i).tokens(), "answer " + i);
            assertEquals(expected.get(i).end(), actual.get(i).end(), "answer " + i);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"untied", "tied", "quantised", "scaled", "qwen2", "qwen3", "ggml-smollm3", "ggml-granite", "ggml-phi3",
        "ggml-olmo2", "ggml-gemma2", "ggml-gemma3", "ggml-yarn"})
    void everyFamilyWritesInABatchWhatItWritesOneByOne(String name) {
        try (Checkpoint model = Checkpoints.open(Fixtures.checkpoint(name, folder))) {
            List<AnswerRequest> requests = requests(model.vocabSize()).subList(0, 16);
            List<Answer> expected;
            try (AnswerWriter batch = writer(model, SamplingOptions.GREEDY, LIMITS);
                    AnswerWriter naive = new SequentialWriter(model, SamplingOptions.GREEDY, options(Precision.FP32))) {
                expected = write(naive, requests);
                assertSame(expected, write(batch, requests));
            }
            if (DecodingLoop.supports(model.config())) {
                try (AnswerWriter loop = loop(model, SamplingOptions.GREEDY, LIMITS)) {
                    assertSame(expected, write(loop, requests));
                }
            }
        }
    }

    /** The GPU's graph; the CPU computes its products in single precision. */
    @ParameterizedTest
    @ValueSource(strings = {"qwen2", "qwen3", "ggml-smollm3", "ggml-granite", "ggml-gemma2", "ggml-gemma3"})
    void halfPrecisionWritesNearlyWhatSinglePrecisionWrites(String name) {
        try (Checkpoint model = Checkpoints.open(Fixtures.checkpoint(name, folder))) {
            OnnxModel graph = model.decoding(Precision.FP16, SamplingOptions.GREEDY.choice(), options(Precision.FP32).scratch());
            List<TextInSlot> texts = requests(model.vocabSize()).subList(0, 8).stream()
                    .map(request -> new TextInSlot(new AnswerRequest(request.prompt(), 0, 1, 0, 0), new CompletableFuture<>())).toList();
            try (DecodingSession half = new DecodingSession(OnnxEngine.open(graph.bytes(), graph.weights(), options(Precision.FP32)), true,
                    Set.copyOf(model.tokenizer().stopIds()));
                    AnswerWriter naive = new SequentialWriter(model, SamplingOptions.GREEDY, options(Precision.FP32))) {
                DecodingSession.Chosen chosen = half.run(texts, 9, 64, 5, 128);
                List<Answer> expected = write(naive, texts.stream().map(text -> text.request).toList());
                int same = 0;
                for (int i = 0; i < 8; i++) {
                    int[] tokens = expected.get(i).tokens();
                    same += tokens.length == 0 || tokens[0] == chosen.token(0, i) ? 1 : 0;
                }
                assertTrue(same >= 7, same + " of 8 first tokens are the same");
                assertEquals(9 * chosen.steps(), chosen.tokens().length);
            }
        }
    }

    @Test
    void aSlidingWindowIsThatOfTheGraphThatWritesOneByOne() {
        Path file = folder.resolve("window.gguf");
        TinyLlama.write(file, 11, new CausalLmConfig(320, 40, 64, 2, 4, 2, 16, 200, 1e-5f, 10_000f, true,
                new Variant(Family.MISTRAL, false, false, 20, List.of(0, 1), List.of())));
        try (Checkpoint model = Checkpoints.open(file); AnswerWriter batch = writer(model, SamplingOptions.GREEDY, LIMITS);
                AnswerWriter loop = loop(model, SamplingOptions.GREEDY, LIMITS);
                AnswerWriter naive = new SequentialWriter(model, SamplingOptions.GREEDY, options(Precision.FP32))) {
            List<AnswerRequest> requests = requests(320).subList(0, 20);
            List<Answer> expected = write(naive, requests);
            assertSame(expected, write(batch, requests));
            assertSame(expected, write(loop, requests));
        }
    }

    @Test
    void drawsAreThoseOfTheNaiveSampler() {
        try (Checkpoint model = tiny()) {
            List<AnswerRequest> requests = requests(model.vocabSize());
            for (SamplingOptions sampling : List.of(DRAWN, new SamplingOptions(0.8, 12, 1, 0), new SamplingOptions(1.3, 0, 1, 0),
                    new SamplingOptions(1, 20, 0.7, 0))) {
                try (AnswerWriter batch = writer(model, sampling, LIMITS); AnswerWriter loop = loop(model, sampling, LIMITS);
                        AnswerWriter naive = new SequentialWriter(model, sampling, options(Precision.FP32))) {
                    assertInstanceOf(BatchWriter.class, batch);
                    List<Answer> expected = write(naive, requests);
                    assertSame(expected, write(batch, requests));
                    assertSame(expected, write(loop, requests));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"FP32", "INT8"})
    void anAnswerIsTheSameInAnyCompanyAndAnyMemory(Precision precision) {
        try (Checkpoint model = tiny()) {
            List<AnswerRequest> requests = requests(model.vocabSize());
            List<Answer> alone = new ArrayList<>();
            try (AnswerWriter writer = AnswerWriter.open(model, DRAWN, options(precision), new WritingLimits(1, 1))) {
                requests.forEach(request -> alone.add(writer.submit(request).join()));
            }
            for (int texts : new int[] {2, 5, 64}) {
                try (AnswerWriter writer = AnswerWriter.open(model, DRAWN, options(precision), new WritingLimits(texts, 300_000))) {
                    List<AnswerRequest> shuffled = new ArrayList<>(requests);
                    Collections.shuffle(shuffled, new Random(texts));
                    List<Answer> answers = write(writer, shuffled);
                    assertSame(alone, requests.stream().map(request -> answers.get(shuffled.indexOf(request))).toList());
                }
            }
        }
    }

    @Test
    void anAnswerLongerThanARunIsReadAgainAndIsTheSameInAnyCompany() {
        try (Checkpoint model = tiny()) {
            Random random = new Random(4);
            List<AnswerRequest> requests = new ArrayList<>();
            for (int i = 0; i < 9; i++) {
                requests.add(new AnswerRequest(random.ints(3 + 20 * i, 0, 320).toArray(), 0, 40 + 30 * i, 0, 0));
            }
            List<Answer> alone;
            try (AnswerWriter naive = new SequentialWriter(model, SamplingOptions.GREEDY, options(Precision.FP32))) {
                alone = write(naive, requests);
                assertTrue(alone.stream().anyMatch(answer -> answer.tokens().length > 2 * LoopWriter.STEPS));
            }
            for (WritingLimits limits : List.of(new WritingLimits(1, 1), new WritingLimits(4, 1 << 24), new WritingLimits(64, 400_000))) {
                try (AnswerWriter writer = loop(model, SamplingOptions.GREEDY, limits)) {
                    assertSame(alone, write(writer, requests));
                    WritingWork work = writer.takeWork();
                    assertTrue(work.newTokens() > 0 && work.steps() >= 2 * LoopWriter.STEPS && work.promptTokens() > 0, work.toString());
                }
            }
        }
    }

    /** A token shows hardly any difference between logits; their sum, to the last bit, nearly all. */
    @Test
    void logitsHaveTheSameBitsInAnyCompany() {
        // As wide as the blocks in which the engine computes products, and wider.
        CausalLmConfig config = new CausalLmConfig(1000, 320, 640, 2, 5, 5, 64, 256, 1e-5f, 10_000f, true);
        Path file = folder.resolve("wide.gguf");
        TinyLlama.write(file, 3, config);
        int[][] texts = new int[11][];
        Arrays.setAll(texts, i -> new Random(i).ints(20 + 13 * i, 0, 1000).toArray());
        try (Checkpoint model = Checkpoints.open(file);
                WritingSession session = new WritingSession(model.writing(Precision.FP32, SamplingOptions.GREEDY.choice(), null,
                        options(Precision.FP32).scratch()), true, 2);
                KeyValueBuffers together = new KeyValueBuffers(config, texts.length * 192);
                KeyValueBuffers alone = new KeyValueBuffers(config, 256)) {
            together.reshape(192);
            for (int i = 0; i < texts.length; i++) {
                session.read(together, i, texts[i], 0, 15);
                session.read(together, i, texts[i], 15, texts[i].length - 1);
            }
            int[] last = Arrays.stream(texts).mapToInt(text -> text[text.length - 1]).toArray();
            int[] positions = Arrays.stream(texts).mapToInt(text -> text.length - 1).toArray();
            WritingSession.Next inCompany = session.next(together, last, positions, new double[texts.length]);
            for (int i = 0; i < texts.length; i++) {
                alone.reshape(i % 2 == 0 ? 256 : 192);
                session.read(alone, 0, texts[i], 0, 15);
                session.read(alone, 0, texts[i], 15, texts[i].length - 1);
                WritingSession.Next byItself = session.next(alone, new int[] {last[i]}, new int[] {positions[i]}, new double[1]);
                assertEquals(Float.floatToIntBits(byItself.sums()[0]), Float.floatToIntBits(inCompany.sums()[i]), "text " + i);
                assertEquals(byItself.tokens()[0], inCompany.tokens()[i]);
            }
        }
    }

    @Test
    void aSharedBeginningIsReadOnce() {
        try (Checkpoint model = tiny(); AnswerWriter writer = writer(model, DRAWN, LIMITS)) {
            Random random = new Random(5);
            int[] beginning = random.ints(100, 0, 320).toArray();
            List<AnswerRequest> requests = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                int[] prompt = Arrays.copyOf(beginning, 120);
                System.arraycopy(random.ints(20, 0, 320).toArray(), 0, prompt, 100, 20);
                requests.add(new AnswerRequest(prompt, 100, 5, 0, 0));
                requests.add(new AnswerRequest(prompt, 100, 5, 1, 0));
            }
            List<Answer> answers = write(writer, requests);
            WritingWork work = writer.takeWork();
            assertEquals(100 + 6 * 19, work.promptTokens());
            assertEquals(12 * 119, work.promptTokens() + work.sharedTokens());
            assertTrue(work.seconds() > 0 && work.newTokens() > 12 && work.steps() >= 5, work.toString());
            assertEquals(0, writer.takeWork().newTokens());
            assertNotEquals(Arrays.toString(answers.get(0).tokens()), Arrays.toString(answers.get(1).tokens()));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anAnswerEndsWhereTheModelEndsItAtTheLimitOrWhereTheContextIsFull(boolean loops) {
        SamplingOptions nearlyUniform = new SamplingOptions(100, 0, 1, 0);
        try (Checkpoint model = tiny(); AnswerWriter writer = loops ? loop(model, nearlyUniform, LIMITS) : writer(model, nearlyUniform, LIMITS)) {
            List<AnswerRequest> many = new ArrayList<>();
            for (int answer = 0; answer < 40; answer++) {
                many.add(new AnswerRequest(new int[] {7}, 0, 60, answer, 0));
            }
            List<Answer> answers = write(writer, many);
            assertTrue(answers.stream().anyMatch(answer -> answer.end() == Answer.End.STOP && answer.tokens().length < 60));
            assertTrue(answers.stream().anyMatch(answer -> answer.end() == Answer.End.LENGTH && answer.tokens().length == 60));
            assertTrue(answers.stream().noneMatch(answer -> Arrays.stream(answer.tokens()).anyMatch(id -> id == TinyLlama.END_OF_TEXT)));
            int[] full = new int[250];
            Arrays.fill(full, 5);
            // Of 256 positions six are left, and the token after the last is written, but not read.
            assertEquals(7, writer.submit(new AnswerRequest(full, 0, 100, 3, 0)).join().tokens().length);
            assertEquals(0, writer.submit(new AnswerRequest(full, 0, 0, 3, 0)).join().tokens().length);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatTheModelCannotReadIsRefusedAndTheRestIsWritten(boolean loops) {
        try (Checkpoint model = tiny(); AnswerWriter writer = loops ? loop(model, DRAWN, LIMITS) : writer(model, DRAWN, LIMITS)) {
            CompletableFuture<Answer> good = writer.submit(new AnswerRequest(new int[] {1, 2}, 0, 5, 0, 0));
            for (int[] bad : new int[][] {{}, new int[257], {320}, {-1}}) {
                CompletableFuture<Answer> refused = writer.submit(new AnswerRequest(bad, 0, 5, 0, 0));
                assertInstanceOf(UserException.class, assertThrows(CompletionException.class, refused::join).getCause());
            }
            CompletableFuture<Answer> unwanted = writer.submit(new AnswerRequest(new int[] {1}, 0, 5, 0, 0));
            unwanted.cancel(false);
            assertTrue(good.join().tokens().length <= 5);
            assertSame(List.of(good.join()), List.of(writer.submit(new AnswerRequest(new int[] {1, 2}, 0, 5, 0, 0)).join()));
        }
    }

    @Test
    void aLogitThatIsNotFiniteEndsItsTextOnly() {
        Path file = folder.resolve("broken.gguf");
        float[] table = new float[320 * 64];
        for (int i = 0; i < table.length; i++) {
            table[i] = i / 64 == 5 ? Float.NaN : i % 7 - 3;
        }
        TinyLlama.gguf(6, TinyLlama.config().untied()).tensor("token_embd.weight", new long[] {320, 64}, table).write(file);
        SamplingOptions sampling = new SamplingOptions(0.1, 2, 1, 0);
        try (Checkpoint model = Checkpoints.open(file); AnswerWriter batch = writer(model, sampling, LIMITS);
                AnswerWriter loop = loop(model, sampling, LIMITS)) {
            for (AnswerWriter writer : List.of(batch, loop)) {
                List<Answer> answers = write(writer, List.of(new AnswerRequest(new int[] {1, 2}, 0, 1, 0, 0),
                        new AnswerRequest(new int[] {5, 2}, 0, 1, 0, 0), new AnswerRequest(new int[] {3, 2}, 0, 1, 0, 0)));
                assertEquals(List.of(Answer.End.LENGTH, Answer.End.NOT_FINITE, Answer.End.LENGTH), answers.stream().map(Answer::end).toList());
            }
        }
    }

    @Test
    void headsThatTheFusedKernelDoesNotTakeAreWrittenOneByOne() {
        Path file = folder.resolve("narrow.gguf");
        TinyLlama.write(file, 1, new CausalLmConfig(320, 32, 64, 2, 4, 2, 8, 200, 1e-5f, 10_000f, true));
        try (Checkpoint model = Checkpoints.open(file); AnswerWriter writer = writer(model, DRAWN, LIMITS)) {
            assertInstanceOf(SequentialWriter.class, writer);
            assertTrue(writer.submit(new AnswerRequest(new int[] {1, 2}, 0, 5, 0, 0)).join().tokens().length <= 5);
        }
    }
}
