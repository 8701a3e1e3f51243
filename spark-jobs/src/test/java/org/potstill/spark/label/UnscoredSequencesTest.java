// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.train.TrainJob;

/** A real teacher whose embedding of one token, the letter Z, is not a number. */
class UnscoredSequencesTest {
    private static final CausalLmConfig UNTIED = new CausalLmConfig(320, 64, 128, 2, 4, 2, 16, 256, 1e-5f, 10_000f, false);
    /** TinyLlama's ids are the bytes, one higher. */
    private static final int Z = 'Z' + 1;

    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
        float[] table = new float[320 * 64];
        Random random = new Random(1);
        for (int i = 0; i < table.length; i++) {
            table[i] = (float) (0.3 * random.nextGaussian());
        }
        Arrays.fill(table, Z * 64, (Z + 1) * 64, Float.NaN);
        TinyLlama.gguf(7, UNTIED).tensor("token_embd.weight", new long[] {320, 64}, table).write(distillery.teacher());
        Distillery.write(distillery.corpus().resolve("odd.txt"), Distillery.text(77, 40) + "Z" + Distillery.text(78, 40));
    }

    private LabelSummary label(String... overrides) {
        String[] all = Arrays.copyOf(overrides, overrides.length + 1);
        all[overrides.length] = "corpus.holdout=0";
        return new LabelJob(Distillery.spark(), distillery.settings(all)).run();
    }

    private LabelStore store() {
        return LabelStores.find(Distillery.spark(), distillery.path("cache").toString(), TargetSpec.topK(8), null);
    }

    private List<Row> quarantine() {
        return Distillery.spark().read().json(store().quarantinePath()).sort("document").collectAsList();
    }

    @Test
    void aSequenceThatTheTeacherCannotScoreGoesToTheQuarantineAndTheRestIsLabelledAndTrainedOn() {
        Distillery.write(distillery.corpus().resolve("bad.txt"), new byte[] {'x', (byte) 0xff, (byte) 0xfe});
        LabelSummary summary = label("corpus.max-bad-share=0.2");
        assertEquals(1, summary.corpus().unscored());
        assertEquals(1, summary.corpus().unusable());

        List<Row> quarantine = quarantine();
        assertEquals(2, quarantine.size());
        assertTrue(quarantine.get(0).<String>getAs("document").endsWith("bad.txt"));
        assertTrue(quarantine.get(0).isNullAt(quarantine.get(0).fieldIndex("sequence")));
        Row sequence = quarantine.get(1);
        assertTrue(sequence.<String>getAs("document").endsWith("odd.txt"));
        assertTrue(sequence.<String>getAs("problem").contains("no finite probabilities"), sequence.toString());

        String key = sequence.getAs("key");
        long number = sequence.getAs("sequence");
        LabelStore store = store();
        assertFalse(store.sequences().map(s -> s.key()).collect().contains(key));
        List<SnapshotEntry> odd = store.snapshot().filter(e -> e.document().endsWith("odd.txt")).collect();
        assertTrue(odd.size() > 3 && number > 0, odd.toString());
        assertTrue(odd.stream().noneMatch(e -> e.key().equals(key) || e.sequence() == number), odd.toString());
        assertEquals(summary.corpus().sequences(), store.snapshot().count());
        assertEquals(summary.corpus().positions(), summary.scoredTokens());

        var trained = new TrainJob(Distillery.spark(), distillery.settings("corpus.holdout=0")).run();
        assertEquals(summary.corpus().positions(), trained.positions());
    }

    @Test
    void theNextRunTriesItAgain() {
        label("corpus.max-bad-share=0.2");
        LabelSummary again = label("corpus.max-bad-share=0.2");
        assertEquals(0, again.scoredTokens());
        assertEquals(0, again.files());
        assertEquals(1, again.corpus().unscored());
        assertEquals(1, quarantine().size());
    }

    @Test
    void tooManyOfThemEndTheJobWithTheirReasons() {
        UserException error = assertThrows(UserException.class, () -> label("corpus.max-bad-share=0.005"));
        assertTrue(error.problem().contains("could not score 1 of "), error.getMessage());
        assertTrue(error.cause().startsWith("1 × the teacher gave no finite probabilities at position "), error.getMessage());
        assertTrue(error.cause().contains("quarantine"), error.getMessage());
        assertEquals(1, quarantine().size());
        assertFalse(store().folder().folder("snapshots").has("current.json"));
    }

    @Test
    void aTeacherThatCanScoreNothingEndsTheJobBeforeTheCorpusIsScored() {
        float[] gain = new float[64];
        Arrays.fill(gain, Float.NaN);
        TinyLlama.gguf(7, UNTIED).tensor("output_norm.weight", new long[] {64}, gain).write(distillery.teacher());
        UserException error = Failures.within(assertThrows(Exception.class, () -> label("corpus.max-bad-share=1"))).orElseThrow();
        assertTrue(error.problem().endsWith(distillery.teacher() + " cannot score any text"), error.getMessage());
        assertTrue(error.cause().startsWith("the teacher gave no finite probabilities"), error.getMessage());
        assertTrue(error.remedy().contains("checksum"), error.getMessage());
        assertTrue(store().isEmpty());
    }
}
