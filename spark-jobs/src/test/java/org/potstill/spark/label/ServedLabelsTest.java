// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.teacher.ScoringServer;
import org.potstill.spark.train.TrainJob;
import org.potstill.teacher.server.ServerKey;

/** The same job with a teacher behind a URL. */
class ServedLabelsTest {
    @TempDir
    private Path folder;
    private Distillery distillery;
    private ScoringServer server;
    private Path tokenizer;

    @BeforeEach
    void start() throws IOException {
        distillery = new Distillery(folder);
        server = new ScoringServer(distillery.teacher(), folder.resolve("scratch"), "vllm", 256);
        tokenizer = ScoringServer.describe(distillery.teacher(), folder.resolve("tokenizer"));
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private String[] served(String... overrides) {
        List<String> all = new ArrayList<>(List.of("teacher.path=" + tokenizer, "teacher.url=" + server.url(), "teacher.model=tiny",
                "cache.path=" + folder.resolve("served")));
        all.addAll(List.of(overrides));
        return all.toArray(String[]::new);
    }

    private LabelSummary label(String... overrides) {
        return new LabelJob(Distillery.spark(), distillery.settings(overrides)).run();
    }

    private Map<List<Integer>, LabelledSequence> rows(LabelStore store) {
        Map<List<Integer>, LabelledSequence> rows = new HashMap<>();
        store.sequences().collect().forEach(row -> rows.put(Arrays.stream(row.tokens()).boxed().toList(), row));
        return rows;
    }

    @Test
    void labelsFromAServerThatFailsNowAndThenEqualTheTeachersOwn() throws IOException {
        LabelSummary own = label();
        server.next((exchange, reply) -> exchange.close(), (exchange, reply) -> {
            exchange.sendResponseHeaders(503, -1);
            exchange.close();
        });
        LabelSummary summary = label(served());
        assertEquals(own.scoredTokens(), summary.scoredTokens());
        assertEquals(0, summary.corpus().unscored());
        assertEquals(own.teacherLoss(), summary.teacherLoss(), 1e-4);
        assertTrue(summary.teacherEntropy() > 0 && summary.teacherEntropy() < own.teacherEntropy(), summary.toString());

        LabelStore ownStore = LabelStores.find(Distillery.spark(), folder.resolve("cache").toString(), TargetSpec.topK(8), null);
        LabelStore servedStore = LabelStores.find(Distillery.spark(), folder.resolve("served").toString(), TargetSpec.topK(8), null);
        Map<List<Integer>, LabelledSequence> expected = rows(ownStore);
        Map<List<Integer>, LabelledSequence> actual = rows(servedStore);
        assertEquals(expected.keySet(), actual.keySet());
        assertEquals(servedStore.sequences().count(), actual.size());
        expected.forEach((tokens, row) -> {
            SoftTargets there = ownStore.labels().decode(row, "cache");
            SoftTargets here = servedStore.labels().decode(actual.get(tokens), "served");
            assertArrayEquals(there.offsets(), here.offsets());
            assertArrayEquals(there.ids(), here.ids());
            for (int e = 0; e < there.ids().length; e++) {
                // One level of the cache's encoding.
                assertEquals(1, here.probabilities()[e] / there.probabilities()[e], 0.05);
            }
        });

        int requests = server.requests().size();
        assertEquals(0, label(served()).scoredTokens());
        assertEquals(requests, server.requests().size());
        assertTrue(server.keys().contains("Bearer " + System.getenv(ServerKey.VARIABLE)));
        assertTrue(System.getenv(ServerKey.VARIABLE).length() > 8);
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertFalse(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).contains(System.getenv(ServerKey.VARIABLE)), file.toString());
            }
        }
        // Training needs the server's name for the model, not the server.
        server.dieDuring(() -> assertTrue(new TrainJob(Distillery.spark(), distillery.settings(served())).run().positions() > 0));
    }

    @Test
    void whatAServerCannotDoIsRefusedBeforeAnyWork() {
        assertTrue(refusal("targets.draws=4").cause().contains("targets.draws"));
        assertTrue(refusal("teacher.precision=int8").remedy().contains("teacher.precision"));
        assertTrue(refusal("teacher.model=huge").cause().contains("tiny"));
        assertTrue(refusal("sequence-length=255").cause().contains("254"));
        assertFalse(refusal("teacher.url=http://me:secret@host/v1").getMessage().contains("secret"));
        assertEquals(0, server.requests().size());
    }

    private UserException refusal(String... overrides) {
        return Failures.within(assertThrows(Exception.class, () -> label(served(overrides)))).orElseThrow();
    }
}
