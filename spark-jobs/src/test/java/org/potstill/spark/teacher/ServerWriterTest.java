// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.generation.Answer;
import org.potstill.teacher.generation.AnswerRequest;
import org.potstill.teacher.generation.AnswerWriter;
import org.potstill.teacher.generation.SamplingOptions;
import org.potstill.teacher.generation.WritingLimits;
import org.potstill.teacher.generation.WritingWork;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.server.ServerKey;
import org.potstill.teacher.server.ServerModel;
import org.potstill.teacher.server.ServerOptions;

/** The wire between a writer behind a URL and its server, which fails in every way. */
class ServerWriterTest {
    private static final String KEY = "sk-not-for-eyes-9f8e";
    private static final int NEW_TOKENS = 12;
    private static final int CONTEXT = 100;
    private static final SamplingOptions DRAWN = new SamplingOptions(1.5, 0, 0.95, 0);
    private static final List<AnswerRequest> REQUESTS = requests();

    @TempDir
    private static Path folder;
    private static Path model;
    private static ScoringServer server;
    private static List<Answer> expected;

    @BeforeAll
    static void start() {
        model = folder.resolve("teacher.gguf");
        TinyLlama.write(model, 7);
        try (Checkpoint local = Checkpoints.open(model); AnswerWriter writer = Teachers.writer(local, SamplingOptions.GREEDY,
                new TeacherOptions(TeacherOptions.Device.CPU, 1, folder.resolve("scratch")), new WritingLimits(4, 1 << 20))) {
            expected = REQUESTS.stream().map(request -> writer.submit(request).join()).toList();
        }
        server = new ScoringServer(model, folder.resolve("scratch"), "vllm", CONTEXT);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @AfterEach
    void forgive() {
        server.forgive();
    }

    private static List<AnswerRequest> requests() {
        Random random = new Random(3);
        return IntStream.range(0, 10).mapToObj(i -> new AnswerRequest(random.ints(1 + 3 * i, 1, 320).toArray(), 0, NEW_TOKENS, 0, 5)).toList();
    }

    private static AnswerWriter open(ScoringServer there, SamplingOptions sampling, int requests, int requestSeconds, int retrySeconds) {
        ServerOptions options = new ServerOptions(there.url(), "", new ServerKey(KEY), requests, Duration.ofSeconds(requestSeconds),
                Duration.ofSeconds(retrySeconds));
        return Teachers.writer(ServerModel.open(model, options), sampling, new TeacherOptions(TeacherOptions.Device.CPU, 1, folder), new WritingLimits(1, 1));
    }

    private static List<Answer> write(AnswerWriter writer, List<AnswerRequest> requests) {
        return requests.stream().map(writer::submit).toList().stream().map(CompletableFuture::join).toList();
    }

    private static void assertSame(List<Answer> expected, List<Answer> actual) {
        assertEquals(expected.size(), actual.size());
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i).tokens(), actual.get(i).tokens());
            assertEquals(expected.get(i).end(), actual.get(i).end());
        }
    }

    @Test
    void greedyAnswersFromEitherServerEqualTheEngines() {
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 3, 60, 60)) {
            assertSame(expected, write(writer, REQUESTS));
            WritingWork work = writer.takeWork();
            assertEquals(REQUESTS.stream().mapToInt(request -> request.prompt().length).sum(), work.promptTokens());
            assertTrue(work.newTokens() >= expected.stream().mapToInt(answer -> answer.tokens().length).sum() && work.seconds() > 0, work.toString());
            assertEquals(0, writer.takeWork().newTokens());
        }
        try (ScoringServer sglang = new ScoringServer(model, folder.resolve("scratch"), "sglang", CONTEXT);
                AnswerWriter writer = open(sglang, SamplingOptions.GREEDY, 3, 60, 60)) {
            assertSame(expected, write(writer, REQUESTS));
        }
    }

    @Test
    void requestsCarryTheSamplingAndEachAnswerHasASeedOfItsOwn() {
        List<AnswerRequest> five = IntStream.range(0, 5).mapToObj(number -> new AnswerRequest(new int[] {7, 8, 9}, 0, NEW_TOKENS, number, 5)).toList();
        int before = server.bodies().size();
        List<Answer> answers;
        List<JsonNode> bodies;
        try (AnswerWriter writer = open(server, new SamplingOptions(1.5, 40, 0.9, 0), 1, 60, 60)) {
            answers = write(writer, five);
            bodies = server.bodies().subList(before, server.bodies().size());
            assertSame(answers, write(writer, five));
        }
        for (JsonNode body : bodies) {
            assertEquals("[[7,8,9]]", body.path("prompt").toString());
            assertEquals(1.5, body.path("temperature").asDouble());
            assertEquals(40, body.path("top_k").asInt());
            assertEquals(0.9, body.path("top_p").asDouble());
            assertEquals(NEW_TOKENS, body.path("max_tokens").asInt());
            assertEquals("[" + TinyLlama.END_OF_TEXT + "]", body.path("stop_token_ids").toString());
            assertEquals(1, body.path("n").asInt());
            assertTrue(body.path("return_token_ids").asBoolean());
        }
        assertEquals(5, bodies.stream().map(body -> body.path("seed").asLong()).distinct().count());
        assertTrue(answers.stream().map(answer -> Arrays.toString(answer.tokens())).distinct().count() > 1);
        try (ScoringServer sglang = new ScoringServer(model, folder.resolve("scratch"), "sglang", CONTEXT); AnswerWriter writer = open(sglang, DRAWN, 1, 60, 60)) {
            assertSame(write(writer, five), write(writer, five));
            JsonNode sampling = sglang.bodies().get(0).path("sampling_params");
            assertEquals(-1, sampling.path("top_k").asInt());
            assertEquals(bodies.get(0).path("seed"), sampling.path("sampling_seed"));
        }
    }

    @Test
    void whatPassesIsTriedAgainAndNothingIsLostOrDoubled() {
        int before = server.requests().size();
        server.next(ServerFaults.passing());
        server.next((exchange, reply) -> {
            ((ObjectNode) reply.at("/choices/0")).put("finish_reason", "abort");
            ScoringServer.send(exchange, 200, reply);
        });
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 3, 5, 60)) {
            assertSame(expected, write(writer, REQUESTS));
        }
        int sent = server.requests().size() - before;
        assertTrue(sent > REQUESTS.size() + ServerFaults.passing().length, sent + " requests");
    }

    @Test
    void aReplyThatIsCutWithinANumberIsAskedForAgain() {
        List<AnswerRequest> request = List.of(new AnswerRequest(new int[] {278, 9}, 0, NEW_TOKENS, 0, 5));
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 1, 10, 60)) {
            List<Answer> answer = write(writer, request);
            server.next((exchange, reply) -> {
                String body = reply.toString();
                String begun = "\"prompt_token_ids\":[2";
                exchange.sendResponseHeaders(200, 0);
                exchange.getResponseBody().write(body.substring(0, body.indexOf(begun) + begun.length()).getBytes(StandardCharsets.UTF_8));
                exchange.close();
            });
            assertSame(answer, write(writer, request));
        }
    }

    @Test
    void aServerThatDiesAndComesBackLosesNothing() {
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 3, 10, 60)) {
            assertSame(expected, write(writer, REQUESTS));
            List<CompletableFuture<Answer>> meanwhile = new ArrayList<>();
            server.dieDuring(() -> {
                REQUESTS.forEach(request -> meanwhile.add(writer.submit(request)));
                ServerFaults.sleep(2000);
            });
            assertSame(expected, meanwhile.stream().map(CompletableFuture::join).toList());
        }
    }

    @Test
    void aServerThatStaysAwayEndsWithTheReason() {
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 3, 10, 1)) {
            server.dieDuring(() -> {
                UserException refusal = refusal(writer);
                assertTrue(refusal.problem().contains("is not available") && refusal.problem().contains(server.url().toString()), refusal.getMessage());
                assertTrue(refusal.remedy().contains("not scored or written again"), refusal.getMessage());
            });
        }
    }

    @Test
    void whyAnAnswerEndedIsTold() {
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 1, 20, 60)) {
            server.next(choice(choice -> choice.put("finish_reason", "stop").set("token_ids", ids(5, 6, TinyLlama.END_OF_TEXT))),
                    choice(choice -> choice.put("finish_reason", "stop").set("token_ids", ids(TinyLlama.END_OF_TEXT))),
                    choice(choice -> choice.put("finish_reason", "stop").put("stop_reason", 6).set("token_ids", ids(5, 6))),
                    choice(choice -> choice.put("finish_reason", "length").set("token_ids", ids(5, 6))));
            assertSame(List.of(new Answer(new int[] {5, 6}, Answer.End.STOP), new Answer(new int[0], Answer.End.STOP), new Answer(new int[] {5}, Answer.End.STOP),
                    new Answer(new int[] {5, 6}, Answer.End.LENGTH)), write(writer, REQUESTS.subList(0, 4)));
        }
    }

    @Test
    void noMoreIsAskedForThanTheServersContextHolds() {
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 1, 20, 60)) {
            AnswerRequest longest = new AnswerRequest(new Random(1).ints(CONTEXT - 4, 1, 320).toArray(), 0, NEW_TOKENS, 0, 0);
            Answer answer = writer.submit(longest).join();
            assertTrue(answer.end() == Answer.End.STOP || answer.tokens().length == 3);
            JsonNode sent = server.bodies().get(server.bodies().size() - 1);
            assertEquals(3, sent.path("max_tokens").asInt());
            AnswerRequest tooLong = new AnswerRequest(new int[CONTEXT], 0, NEW_TOKENS, 0, 0);
            assertInstanceOf(UserException.class, assertThrows(CompletionException.class, () -> writer.submit(tooLong).join()).getCause());
        }
    }

    @Test
    void repliesThatAreNoAnswersAreRefused() {
        assertRefused("token 0 is 319, not", choice -> ((ArrayNode) choice.path("prompt_token_ids")).set(0, IntNode.valueOf(319)));
        assertRefused("the token id 320", choice -> choice.set("token_ids", ids(320)));
        assertRefused("the token id -1", choice -> choice.set("token_ids", ids(-1)));
        assertRefused("more than the 12 tokens", choice -> choice.set("token_ids", ids(new int[13])));
        assertRefused("no ids of the answer's tokens", choice -> choice.remove("token_ids"));
        assertRefused("no ids of the answer's tokens", choice -> choice.putNull("token_ids"));
        assertRefused("why the answer ended", choice -> choice.putNull("finish_reason"));
        assertRefused("because of content_filter", choice -> choice.put("finish_reason", "content_filter").set("token_ids", ids(5)));
        assertRefused("stops with token 5, which is no end token", choice -> choice.put("finish_reason", "stop").set("token_ids", ids(5)));
        assertRefused("stops with token 5", choice -> choice.put("finish_reason", "stop").put("stop_reason", "</s>").set("token_ids", ids(5)));
        assertRefused("stops without a token", choice -> choice.put("finish_reason", "stop").set("token_ids", ids()));
    }

    @Test
    void refusalsEndAtOnceWithTheServersMessageAndNotTheKey() {
        UserException refusal = assertRefused(ServerFaults.status(401, "Incorrect API key provided: " + KEY));
        assertTrue(refusal.cause().contains("Incorrect API key") && !refusal.getMessage().contains(KEY), refusal.getMessage());
        assertTrue(server.keys().contains("Bearer " + KEY));
    }

    @Test
    void aCancelledAnswerFreesItsPlaceAndClosingEndsTheRest() throws InterruptedException {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch finish = new CountDownLatch(1);
        server.next((exchange, reply) -> {
            reached.countDown();
            await(finish);
            exchange.close();
        });
        CompletableFuture<Answer> waiting;
        CompletableFuture<Answer> queued;
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 1, 600, 600)) {
            CompletableFuture<Answer> unwanted = writer.submit(REQUESTS.get(0));
            reached.await();
            unwanted.cancel(false);
            assertSame(expected.subList(1, 2), write(writer, REQUESTS.subList(1, 2)));
            server.next((exchange, reply) -> {
                await(finish);
                exchange.close();
            });
            waiting = writer.submit(REQUESTS.get(2));
            queued = writer.submit(REQUESTS.get(3));
            assertFalse(queued.isDone());
        } finally {
            finish.countDown();
        }
        assertThrows(CancellationException.class, waiting::join);
        assertThrows(CancellationException.class, queued::join);
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A change of a reply's choice. */
    private interface Change {
        void make(ObjectNode choice);
    }

    private static ScoringServer.Fault choice(Change change) {
        return (exchange, reply) -> {
            change.make((ObjectNode) reply.at("/choices/0"));
            ScoringServer.send(exchange, 200, reply);
        };
    }

    private static ArrayNode ids(int... ids) {
        ArrayNode array = new ObjectMapper().createArrayNode();
        IntStream.of(ids).forEach(array::add);
        return array;
    }

    private static void assertRefused(String why, Change change) {
        UserException refusal = assertRefused(choice(change));
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
    }

    private static UserException assertRefused(ScoringServer.Fault fault) {
        int before = server.requests().size();
        server.next(fault);
        try (AnswerWriter writer = open(server, SamplingOptions.GREEDY, 3, 20, 60)) {
            UserException refusal = refusal(writer);
            assertEquals(before + 1, server.requests().size());
            return refusal;
        }
    }

    private static UserException refusal(AnswerWriter writer) {
        CompletionException thrown = assertThrows(CompletionException.class, () -> writer.submit(REQUESTS.get(3)).join());
        return assertInstanceOf(UserException.class, thrown.getCause());
    }
}
