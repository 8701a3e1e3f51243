// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.label.LabelJob;

/** Draws in the cache are looked into and checked as probabilities are. */
class SampledCacheTest {
    private static final TargetSpec SPEC = TargetSpec.topKAndSystematic(2, 20, 3);
    private static final String[] SETTINGS = {"targets.k=2", "targets.draws=20", "targets.seed=3"};

    @TempDir
    private static Path folder;
    private static Distillery distillery;

    @BeforeAll
    static void label() {
        distillery = new Distillery(folder);
        new LabelJob(Distillery.spark(), distillery.settings(SETTINGS)).run();
    }

    private static Selection selection() {
        return new Selection(distillery.path("cache").toString(), "", SPEC.name());
    }

    private static LabelStore store() {
        return LabelStores.find(Distillery.spark(), distillery.path("cache").toString(), SPEC, null);
    }

    @Test
    void theMeanNumberOfDistinctDrawsIsThatOfTheRows() {
        List<LabelledSequence> rows = store().sequences().collect();
        double entries = rows.stream().mapToInt(row -> store().labels().decode(row, "cache").ids().length).sum();
        CacheSummary summary = new InspectJob(Distillery.spark(), selection()).run().get(0);
        assertEquals(entries / rows.stream().mapToInt(LabelledSequence::positions).sum(), summary.entriesPerPosition(), 1e-9);
        assertTrue(summary.entriesPerPosition() > 3 && summary.entriesPerPosition() < 22, summary.toString());
        assertEquals(0, summary.damagedRows());
    }

    @Test
    void theLiveTeacherDrawsIdenticalBytes() {
        VerifySummary summary = new VerifyJob(Distillery.spark(), distillery.settings(SETTINGS), selection(), 25).run().get(0);
        assertTrue(summary.sound(), summary.toString());
        assertEquals(25, summary.teacher().identical());
    }

    @Test
    void oneSequenceIsDecodedWithoutATail() {
        DecodedSequence decoded = new SequenceJob(Distillery.spark(), selection(), 40).byKey(store().sequences().map(LabelledSequence::key).first());
        assertTrue(decoded.positions().stream().allMatch(p -> Math.abs(p.tail()) < 1e-4), decoded.toString());
    }

    @Test
    void aDamagedPriorIsNamed() throws Exception {
        LabelledCache copy = LabelledCache.copy(distillery.path("cache"), folder.resolve("copy"));
        try (Stream<Path> files = Files.walk(copy.folder())) {
            for (Path prior : files.filter(f -> f.getParent().endsWith("priors") && f.toString().endsWith(".bin")).toList()) {
                byte[] bytes = Files.readAllBytes(prior);
                bytes[bytes.length / 2] ^= 1;
                Files.write(prior, bytes);
            }
        }
        VerifySummary summary = new VerifyJob(Distillery.spark(), distillery.settings(SETTINGS), copy.selection(), 0).run().get(0);
        assertEquals(1L, summary.problems().get(Problem.Kind.DAMAGED_DESCRIPTION), summary.toString());
        assertEquals(1, summary.problems().size(), summary.toString());
    }
}
