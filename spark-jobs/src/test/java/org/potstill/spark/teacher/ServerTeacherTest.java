// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.server.ServerKey;
import org.potstill.teacher.server.ServerModel;
import org.potstill.teacher.server.ServerOptions;
import org.potstill.teacher.server.ServerTeacher;

/** The wire between a teacher behind a URL and its server, which fails in every way. */
class ServerTeacherTest {
    private static final TargetSpec SPEC = TargetSpec.topK(8);
    private static final String KEY = "sk-not-for-eyes-9f8e";
    private static final List<int[]> SEQUENCES = sequences();

    @TempDir
    private static Path folder;
    private static Path model;
    private static ScoringServer server;
    private static List<ScoredSequence> expected;

    @BeforeAll
    static void start() {
        model = folder.resolve("teacher.gguf");
        TinyLlama.write(model, 7);
        try (Teacher teacher = OnnxTeacher.open(model, new TeacherOptions(TeacherOptions.Device.CPU, 1, folder.resolve("scratch")))) {
            expected = teacher.score(SEQUENCES, SPEC);
        }
        server = new ScoringServer(model, folder.resolve("scratch"), "vllm", 100);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static List<int[]> sequences() {
        Random random = new Random(3);
        return IntStream.range(0, 12).mapToObj(i -> random.ints(2 + 3 * i, 0, 320).toArray()).toList();
    }

    private static ServerTeacher open(ScoringServer there, int requestSeconds, int retrySeconds) {
        return ServerTeacher.open(ServerModel.open(model, new ServerOptions(there.url(), "", new ServerKey(KEY), 3, Duration.ofSeconds(requestSeconds),
                Duration.ofSeconds(retrySeconds))));
    }

    private static void assertExpected(List<ScoredSequence> scored) {
        assertEquals(expected.size(), scored.size());
        for (int i = 0; i < scored.size(); i++) {
            ScoredSequence own = expected.get(i);
            ScoredSequence served = scored.get(i);
            assertEquals(IntStream.of(own.targets().ids()).boxed().toList(), IntStream.of(served.targets().ids()).boxed().toList());
            for (int e = 0; e < own.targets().ids().length; e++) {
                assertEquals(own.targets().probabilities()[e], served.targets().probabilities()[e], 1e-6);
            }
            for (int t = 0; t < own.tokenLogProbabilities().length; t++) {
                assertEquals(own.tokenLogProbabilities()[t], served.tokenLogProbabilities()[t], 1e-4);
                assertTrue(served.entropies()[t] > 0 && served.entropies()[t] <= own.entropies()[t] + 1e-4);
            }
        }
    }

    @Test
    void scoresFromEitherServerEqualTheOnnxTeachers() {
        try (ServerTeacher teacher = open(server, 60, 60)) {
            assertExpected(teacher.score(SEQUENCES, SPEC));
            assertTrue(teacher.takeWork().seconds() > 0);
            assertEquals(0, teacher.takeWork().seconds());
        }
        try (ScoringServer sglang = new ScoringServer(model, folder.resolve("scratch"), "sglang", 100); ServerTeacher teacher = open(sglang, 60, 60)) {
            assertExpected(teacher.score(SEQUENCES, SPEC));
        }
    }

    @Test
    void whatPassesIsTriedAgainAndNothingIsLostOrDoubled() {
        int before = server.requests().size();
        server.next(ServerFaults.passing());
        try (ServerTeacher teacher = open(server, 5, 60)) {
            assertExpected(teacher.score(SEQUENCES, SPEC));
        }
        List<Map.Entry<List<Integer>, Long>> sent = server.requests().subList(before, server.requests().size());
        assertTrue(sent.size() >= SEQUENCES.size() + ServerFaults.passing().length, sent.size() + " requests");
        List<Integer> refused = sent.get(0).getKey();
        long again = sent.stream().skip(1).filter(request -> request.getKey().equals(refused)).findFirst().orElseThrow().getValue();
        assertTrue(again - sent.get(0).getValue() >= Duration.ofMillis(900).toNanos(), "Retry-After was not heeded");
    }

    @Test
    void aServerThatDiesAndComesBackLosesNothing() {
        try (ServerTeacher teacher = open(server, 10, 60)) {
            assertExpected(teacher.score(SEQUENCES, SPEC));
            List<CompletableFuture<List<ScoredSequence>>> meanwhile = new ArrayList<>();
            server.dieDuring(() -> {
                meanwhile.add(CompletableFuture.supplyAsync(() -> teacher.score(SEQUENCES, SPEC)));
                ServerFaults.sleep(2000);
            });
            assertExpected(meanwhile.get(0).join());
        }
    }

    @Test
    void aServerThatStaysAwayEndsWithTheReason() {
        try (ServerTeacher teacher = open(server, 10, 1)) {
            server.dieDuring(() -> {
                UserException refusal = assertThrows(UserException.class, () -> teacher.score(SEQUENCES, SPEC));
                assertTrue(refusal.problem().contains("is not available") && refusal.problem().contains(server.url().toString()), refusal.getMessage());
                assertTrue(refusal.cause().contains("tried again for 1 s"), refusal.getMessage());
                assertTrue(refusal.remedy().contains("not scored or written again"), refusal.getMessage());
            });
        }
    }

    @Test
    void repliesAboutOtherTokensAreRefused() {
        assertRefused("token 0 is 319, not", (exchange, reply) -> {
            ((ArrayNode) reply.at("/choices/0/prompt_token_ids")).set(0, IntNode.valueOf(319));
            ScoringServer.send(exchange, 200, reply);
        });
        assertRefused("lacks the actual next token", (exchange, reply) -> {
            ArrayNode positions = (ArrayNode) reply.at("/choices/0/prompt_logprobs");
            positions.add(positions.get(positions.size() - 1));
            positions.remove(1);
            ScoringServer.send(exchange, 200, reply);
        });
        assertRefused("positions, and the request", (exchange, reply) -> {
            ((ArrayNode) reply.at("/choices/0/prompt_logprobs")).remove(1);
            ((ObjectNode) reply.at("/choices/0")).remove("prompt_token_ids");
            ((ArrayNode) reply.at("/choices/0/prompt_logprobs")).removeAll().addNull();
            ScoringServer.send(exchange, 200, reply);
        });
        assertRefused("and targets.k is 8", (exchange, reply) -> {
            ObjectNode position = (ObjectNode) reply.at("/choices/0/prompt_logprobs/1");
            int[] ids = server.requests().get(server.requests().size() - 1).getKey().stream().mapToInt(id -> id).toArray();
            position.retain(String.valueOf(ids[1]));
            ScoringServer.send(exchange, 200, reply);
        });
        assertRefused("tokens, and the request", (exchange, reply) -> {
            ((ObjectNode) reply.path("usage")).put("prompt_tokens", 3);
            ScoringServer.send(exchange, 200, reply);
        });
        assertRefused("no prompt_logprobs", (exchange, reply) -> {
            ((ObjectNode) reply.at("/choices/0")).remove("prompt_logprobs");
            ScoringServer.send(exchange, 200, reply);
        });
    }

    @Test
    void hostileRepliesAreRefused() {
        assertRefused("bytes", (exchange, reply) -> {
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream body = exchange.getResponseBody()) {
                byte[] chunk = new byte[1 << 20];
                for (int i = 0; i < 1000; i++) {
                    body.write(chunk);
                }
            }
        });
        assertRefused("cannot read the reply", (exchange, reply) -> {
            exchange.sendResponseHeaders(200, 0);
            exchange.getResponseBody().write("<html>Sign in</html>".getBytes(StandardCharsets.UTF_8));
            exchange.close();
        });
    }

    @Test
    void refusalsEndAtOnceWithTheServersMessageAndNotTheKey() {
        assertTrue(assertRefused("greater than max allowed: 20", ServerFaults.status(400, "Requested prompt logprobs of 32, which is greater than max allowed: 20"))
                .remedy().contains("targets.k"));
        UserException unauthorised = assertRefused("status 401", ServerFaults.status(401, "Incorrect API key provided: " + KEY + "\u001b[2J" + "x".repeat(10_000)));
        assertFalse(unauthorised.getMessage().contains(KEY), unauthorised.getMessage());
        assertFalse(unauthorised.getMessage().contains("\u001b"), unauthorised.getMessage());
        assertTrue(unauthorised.getMessage().length() < 1000 && unauthorised.remedy().contains(ServerKey.VARIABLE), unauthorised.getMessage());
        for (int status : new int[] {403, 404, 413, 422}) {
            assertRefused("status " + status, ServerFaults.status(status, "no"));
        }
        assertTrue(server.keys().contains("Bearer " + KEY));
    }

    @Test
    void keysAndPasswordsAreNotPrinted() {
        assertFalse(new ServerOptions(server.url(), "", new ServerKey(KEY), 1, Duration.ZERO, Duration.ZERO).toString().contains(KEY));
        assertEquals(KEY, ServerKey.of(Map.of("OPENAI_API_KEY", "other", ServerKey.VARIABLE, KEY + "\n")).value());
        assertEquals("other", ServerKey.of(Map.of("OPENAI_API_KEY", "other", ServerKey.VARIABLE, " ")).value());
        assertEquals("own", ServerKey.of(Map.of("POTSTILL_TEACHER_KEY_BIG_CODE", "own", ServerKey.VARIABLE, KEY), "big-code").value());
        assertEquals(KEY, ServerKey.of(Map.of("POTSTILL_TEACHER_KEY_BIG_CODE", "own", ServerKey.VARIABLE, KEY), "other").value());
        assertFalse(assertThrows(UserException.class, () -> new ServerKey("two\nlines")).getMessage().contains("two"));
        for (String url : List.of("http://me:secret@host/v1", "http://host/v1?key=secret", "ftp://secret/v1", "http:///secret", "secret host")) {
            assertFalse(assertThrows(UserException.class, () -> ServerOptions.parse(url)).getMessage().contains("secret"), url);
        }
    }

    @Test
    void whatAServerCannotGiveIsRefused() {
        try (ServerTeacher teacher = open(server, 10, 1)) {
            assertTrue(assertThrows(UserException.class, () -> teacher.score(SEQUENCES, TargetSpec.systematic(8, 1))).cause().contains("targets.draws"));
            assertTrue(assertThrows(UserException.class, () -> teacher.logits(new int[] {1})).remedy().contains("teacher.url"));
            assertThrows(UserException.class, () -> teacher.score(List.of(new int[100]), SPEC), "one token must remain for the server to generate");
        }
        UserException other = assertThrows(UserException.class, () -> ServerTeacher.open(ServerModel.open(model, new ServerOptions(server.url(), "huge",
                new ServerKey(""), 1, Duration.ofSeconds(10), Duration.ofSeconds(1)))));
        assertTrue(other.problem().contains("huge") && other.cause().contains("tiny"), other.getMessage());
    }

    private static UserException assertRefused(String why, ScoringServer.Fault fault) {
        int before = server.requests().size();
        server.next(fault);
        try (ServerTeacher teacher = open(server, 20, 60)) {
            UserException refusal = assertThrows(UserException.class, () -> teacher.score(SEQUENCES.subList(3, 4), SPEC));
            assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
            assertEquals(before + 1, server.requests().size());
            return refusal;
        }
    }
}
