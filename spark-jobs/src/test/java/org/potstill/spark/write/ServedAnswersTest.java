// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.teacher.ScoringServer;
import org.potstill.spark.teacher.ServerFaults;
import org.potstill.teacher.server.ServerKey;

/** The same job with a teacher behind a URL. */
class ServedAnswersTest {
    @TempDir
    private Path folder;
    private Distillery distillery;
    private ScoringServer server;
    private Path tokenizer;

    @BeforeEach
    void start() throws IOException {
        distillery = new Distillery(folder);
        TinyLlama.gguf(7, TinyLlama.config()).put("tokenizer.chat_template", WriteJobTest.TEMPLATE).write(distillery.teacher());
        StringBuilder prompts = new StringBuilder();
        for (int i = 0; i < 10; i++) {
            prompts.append("{\"id\": \"q").append(i).append("\", \"text\": \"").append(Distillery.text(i, 1 + i)).append("\"}\n");
        }
        Distillery.write(folder.resolve("prompts/prompts.jsonl"), prompts.toString());
        server = new ScoringServer(distillery.teacher(), folder.resolve("scratch"), "vllm", 256);
        tokenizer = ScoringServer.describe(distillery.teacher(), folder.resolve("tokenizer"));
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private WriteSummary write(String... overrides) {
        List<String> all = new ArrayList<>(List.of("corpus.path=" + folder.resolve("prompts"), "corpus.id-field=id", "write.max-new-tokens=12",
                "write.temperature=0", "write.keep-truncated=true", "write.keep-empty=true", "write.shard-answers=3"));
        all.addAll(List.of(overrides));
        return new WriteJob(Distillery.spark(), distillery.settings(all.toArray(String[]::new))).run();
    }

    private WriteSummary served(String... overrides) {
        List<String> all = new ArrayList<>(List.of("teacher.path=" + tokenizer, "teacher.url=" + server.url(), "teacher.model=tiny",
                "teacher.requests=2", "write.path=" + folder.resolve("served")));
        all.addAll(List.of(overrides));
        return write(all.toArray(String[]::new));
    }

    /** What was said, and why it ended, by document and number. */
    private static Map<String, String> content(Path path) {
        Map<String, String> rows = new TreeMap<>();
        for (Row row : Distillery.spark().read().parquet(path.toString()).collectAsList()) {
            String same = rows.put(row.getAs("document") + " " + row.getAs("answer"),
                    row.getAs("finish") + row.getList(row.fieldIndex("messages")).toString() + row.getList(row.fieldIndex("tokens")));
            assertEquals(null, same, "twice");
        }
        return rows;
    }

    @Test
    void answersFromAServerThatFailsNowAndThenEqualTheTeachersOwn() throws IOException {
        write("write.path=" + folder.resolve("own"));
        server.next(ServerFaults.cut(), ServerFaults.status(503, "restarting"));
        WriteSummary summary = served();
        assertEquals(10, summary.written());
        assertEquals(content(folder.resolve("own")), content(folder.resolve("served")));
        int requests = server.requests().size();
        assertEquals(0, served().written());
        assertEquals(requests, server.requests().size());
        assertTrue(server.keys().contains("Bearer " + System.getenv(ServerKey.VARIABLE)));
        assertTrue(System.getenv(ServerKey.VARIABLE).length() > 8);
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertFalse(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).contains(System.getenv(ServerKey.VARIABLE)), file.toString());
            }
        }
    }

    @Test
    void aThirdAnswerDoesNotChangeTheFirstTwo() {
        assertEquals(20, served("write.temperature=1.5", "write.answers=2").written());
        Map<String, String> two = content(folder.resolve("served"));
        assertEquals(10, served("write.temperature=1.5", "write.answers=3").written());
        Map<String, String> three = content(folder.resolve("served"));
        assertEquals(30, three.size());
        assertTrue(three.entrySet().containsAll(two.entrySet()));
    }

    @Test
    void aServerThatStaysAwayEndsTheJobWithTheReasonAndTheNextRunWritesTheRest() throws IOException {
        write("write.path=" + folder.resolve("own"));
        ScoringServer.Fault none = (exchange, reply) -> ScoringServer.send(exchange, 200, reply);
        server.next(Collections.nCopies(6, none).toArray(ScoringServer.Fault[]::new));
        server.next(Collections.nCopies(1000, ServerFaults.status(503, "gone")).toArray(ScoringServer.Fault[]::new));
        UserException refusal = Failures.within(assertThrows(Exception.class, () -> served("teacher.retry-seconds=3"))).orElseThrow();
        assertTrue(refusal.problem().contains("is not available") && refusal.cause().contains("gone"), refusal.getMessage());
        assertTrue(quarantined().isEmpty(), quarantined().toString());
        server.forgive();
        WriteSummary rest = served();
        assertTrue(rest.written() < 10, "nothing was kept");
        assertEquals(0, rest.unwritten());
        assertEquals(content(folder.resolve("own")), content(folder.resolve("served")));
    }

    private List<Path> quarantined() throws IOException {
        try (Stream<Path> files = Files.walk(folder.resolve("served"))) {
            return files.filter(file -> file.toString().matches(".*/_quarantine/.+/.*\\.json") && file.toFile().length() > 0).toList();
        }
    }

    @Test
    void aServerThatIsDeadForTenSecondsLosesAndDoublesNothing() throws InterruptedException {
        write("write.path=" + folder.resolve("own"));
        CountDownLatch begun = new CountDownLatch(3);
        server.next(Collections.nCopies(3, (ScoringServer.Fault) (exchange, reply) -> {
            begun.countDown();
            ScoringServer.send(exchange, 200, reply);
        }).toArray(ScoringServer.Fault[]::new));
        CompletableFuture<WriteSummary> job = CompletableFuture.supplyAsync(this::served);
        begun.await();
        server.dieDuring(() -> ServerFaults.sleep(10_000));
        assertEquals(10, job.join().written());
        assertTrue(server.requests().size() >= 10);
        assertEquals(content(folder.resolve("own")), content(folder.resolve("served")));
    }

    @Test
    void anotherEndTokenIsAnotherAnswer() throws IOException {
        assertEquals(10, served().written());
        Files.writeString(tokenizer.resolve("generation_config.json"), "{\"eos_token_id\": [0, 300]}");
        assertEquals(10, served().written());
        assertEquals("[0,300]", server.bodies().get(server.bodies().size() - 1).path("stop_token_ids").toString());
        assertEquals(0, served().written());
    }

    @Test
    void whatAServerCannotDoIsRefusedBeforeAnyWork() {
        assertTrue(refusal("teacher.precision=int8").remedy().contains("teacher.precision"));
        assertTrue(refusal("teacher.model=huge").cause().contains("tiny"));
        assertEquals(0, server.requests().size());
        // Draws and k are what label asks for.
        assertEquals(10, served("targets.draws=4").written());
    }

    private UserException refusal(String... overrides) {
        return Failures.within(assertThrows(Exception.class, () -> served(overrides))).orElseThrow();
    }
}
