// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.inspect.Problem.Kind;
import org.potstill.spark.label.LabelJob;

class VerifyJobTest {
    @TempDir
    private static Path shared;
    private static Distillery distillery;

    @TempDir
    private Path folder;
    private LabelledCache cache;

    @BeforeAll
    static void label() {
        distillery = new Distillery(shared);
        new LabelJob(Distillery.spark(), distillery.settings()).run();
    }

    @BeforeEach
    void copy() throws IOException {
        cache = LabelledCache.copy(distillery.path("cache"), folder.resolve("cache"));
    }

    private VerifySummary verify() {
        return verify(0);
    }

    private VerifySummary verify(int sample, String... overrides) {
        List<VerifySummary> all = new VerifyJob(Distillery.spark(), distillery.settings(overrides), cache.selection(), sample).run();
        assertEquals(1, all.size());
        return all.get(0);
    }

    /** The only problem of a kind, and that the text names it. */
    private static Problem only(VerifySummary summary, Kind kind) {
        assertEquals(1L, summary.problems().get(kind), summary.toString());
        Problem problem = summary.examples().stream().filter(p -> p.kind() == kind).findFirst().orElseThrow();
        String text = VerifyText.of(List.of(summary));
        assertTrue(text.contains("1 " + kind.what()) && text.contains(problem.file()) && text.contains(problem.key()), text);
        return problem;
    }

    private void changed(Kind kind, UnaryOperator<LabelledSequence> how) throws IOException {
        LabelledSequence old = cache.change(cache.file(1), how);
        VerifySummary summary = verify();
        Problem problem = only(summary, kind);
        assertEquals(Map.of(kind, 1L), summary.problems());
        assertEquals(old.key(), problem.key());
        assertTrue(cache.rows(cache.described("labels").resolve(problem.file())).stream().anyMatch(row -> row.key().equals(old.key())));
    }

    @Test
    void aSoundCacheHasNoProblemsAndTheLiveTeacherReproducesItsBytes() {
        VerifySummary summary = verify(20);
        assertTrue(summary.sound(), summary.toString());
        List<LabelledSequence> rows = cache.store().sequences().collect();
        assertEquals(rows.size(), summary.rows());
        assertEquals(rows.stream().mapToLong(LabelledSequence::positions).sum(), summary.positions());
        assertEquals(cache.store().files().size(), summary.files());
        assertEquals(rows.size(), summary.named());
        assertEquals(20, summary.teacher().rows());
        assertEquals(20, summary.teacher().identical());
        assertTrue(summary.teacher().statistics() < 1e-5, summary.toString());
        assertTrue(VerifyText.of(List.of(summary)).contains("no problems"));
        assertNull(verify().teacher());
    }

    @Test
    void aFlippedByteInTheTargetsIsNamedWithItsFileAndKey() throws IOException {
        changed(Kind.DAMAGED_TARGETS, row -> {
            byte[] targets = row.targets().clone();
            targets[targets.length / 2] ^= 4;
            return new LabelledSequence(row.document(), row.key(), row.tokens(), targets, row.teacherLoss(), row.teacherEntropy());
        });
    }

    @Test
    void aChangedTokenIsNamed() throws IOException {
        changed(Kind.WRONG_KEY, row -> {
            int[] tokens = row.tokens().clone();
            tokens[3] = (tokens[3] + 1) % 300;
            return new LabelledSequence(row.document(), row.key(), tokens, row.targets(), row.teacherLoss(), row.teacherEntropy());
        });
    }

    @Test
    void targetsOfAnotherSequenceAreNamed() throws IOException {
        changed(Kind.DAMAGED_TARGETS, row -> {
            byte[] shorter = cache.labels().codec().encode(Arrays.copyOf(row.tokens(), 2),
                    new SoftTargets(new int[] {0, 8}, new int[] {0, 1, 2, 3, 4, 5, 6, 7}, new float[] {.2f, .1f, .1f, .1f, .1f, .1f, .1f, .1f}));
            return new LabelledSequence(row.document(), row.key(), row.tokens(), shorter, row.teacherLoss(), row.teacherEntropy());
        });
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, -0.5f, Float.POSITIVE_INFINITY})
    void aLossOrEntropyThatIsNoneIsNamed(float nats) throws IOException {
        changed(Kind.IMPOSSIBLE_STATISTICS,
                row -> new LabelledSequence(row.document(), row.key(), row.tokens(), row.targets(), nats, row.teacherEntropy()));
        cache.change(cache.file(2), row -> new LabelledSequence(row.document(), row.key(), row.tokens(), row.targets(), row.teacherLoss(), nats));
        assertEquals(2L, verify().problems().get(Kind.IMPOSSIBLE_STATISTICS));
    }

    @Test
    void aChangedKeyIsNamedAndTheOriginalKeyIsMissing() throws IOException {
        String wrong = "0123456789abcdef0123456789abcdef";
        LabelledSequence old = cache.change(cache.file(0),
                row -> new LabelledSequence(row.document(), wrong, row.tokens(), row.targets(), row.teacherLoss(), row.teacherEntropy()));
        VerifySummary summary = verify();
        assertEquals(wrong, only(summary, Kind.WRONG_KEY).key());
        Problem missing = only(summary, Kind.MISSING_ROW);
        assertEquals(old.key(), missing.key());
        assertTrue(missing.detail().contains(old.document()), missing.toString());
        assertEquals(2, summary.problems().size());
    }

    @Test
    void aMissingRowOfTheSnapshotIsNamedAndLabelBringsItBack() throws IOException {
        Path file = cache.file(2);
        List<LabelledSequence> rows = cache.rows(file);
        cache.delete(file);
        VerifySummary summary = verify();
        assertEquals(Map.of(Kind.MISSING_ROW, (long) rows.size()), summary.problems());
        assertTrue(rows.stream().map(LabelledSequence::key).toList().containsAll(summary.examples().stream().map(Problem::key).toList()));
        new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + cache.folder())).run();
        assertTrue(verify().sound());
    }

    @Test
    void aTornFileIsNamedAndTheRestIsChecked() throws IOException {
        Path torn = cache.file(0);
        long others = verify().rows() - cache.rows(torn).size();
        byte[] bytes = Files.readAllBytes(torn);
        int lost = cache.rows(torn).size();
        cache.delete(torn);
        Files.write(torn, Arrays.copyOf(bytes, bytes.length - 10));
        VerifySummary summary = verify();
        assertEquals(torn.getFileName().toString(), only(summary, Kind.UNREADABLE_FILE).file());
        assertEquals((long) lost, summary.problems().get(Kind.MISSING_ROW));
        assertEquals(others, summary.rows());
    }

    @Test
    void aFlippedByteOfAFileIsFoundWhereverItIs() throws IOException {
        Path file = cache.file(1);
        byte[] bytes = Files.readAllBytes(file);
        for (int i = 1; i < 12; i++) {
            byte[] flipped = bytes.clone();
            flipped[bytes.length * i / 12] ^= 32;
            cache.delete(file);
            Files.write(file, flipped);
            int at = i;
            VerifySummary summary = verify();
            // What Parquet keeps for the hurried reader alone, such as the smallest key of a column, harms nobody.
            assertTrue(!summary.sound() || isTheSame(cache.rows(file), bytes), () -> "byte at " + at + " of 12");
        }
    }

    private boolean isTheSame(List<LabelledSequence> rows, byte[] whole) throws IOException {
        Path original = Files.write(folder.resolve(UUID.randomUUID() + ".parquet"), whole);
        List<LabelledSequence> expected = cache.rows(original);
        for (int i = 0; i < expected.size(); i++) {
            LabelledSequence a = expected.get(i);
            LabelledSequence b = rows.get(i);
            if (!a.key().equals(b.key()) || !Arrays.equals(a.tokens(), b.tokens()) || !Arrays.equals(a.targets(), b.targets())) {
                return false;
            }
        }
        return rows.size() == expected.size();
    }

    @Test
    void rowsAndFilesOfAnotherTeacherAreNamed() throws IOException {
        TinyLlama.write(folder.resolve("other.gguf"), 9);
        new LabelJob(Distillery.spark(), distillery.settings("teacher.path=" + folder.resolve("other.gguf"),
                "cache.path=" + folder.resolve("foreign"))).run();
        LabelledCache foreign = new LabelledCache(folder.resolve("foreign"));
        LabelledSequence row = foreign.rows(foreign.file(0)).get(0);
        cache.write(List.of(row));
        assertEquals(row.key(), only(verify(), Kind.WRONG_KEY).key());

        Files.copy(foreign.file(1), cache.described("labels").resolve("part-copied.parquet"));
        VerifySummary summary = verify();
        assertEquals("part-copied.parquet", only(summary, Kind.FOREIGN_FILE).file());
        assertEquals(1L + foreign.rows(foreign.file(1)).size(), summary.problems().get(Kind.WRONG_KEY));
    }

    @Test
    void theSameRowTwiceIsSoundAndDifferentRowsOfAKeyAreNamedWithBothFiles() {
        LabelledSequence row = cache.rows(cache.file(0)).get(0);
        cache.write(List.of(row));
        assertTrue(verify().sound());
        LabelledSequence other = cache.rows(cache.file(1)).get(0);
        cache.write(List.of(new LabelledSequence(other.document(), other.key(), other.tokens(), other.targets(), other.teacherLoss() + 1,
                other.teacherEntropy())));
        VerifySummary summary = verify();
        Problem problem = only(summary, Kind.DIFFERENT_DUPLICATES);
        assertEquals(other.key(), problem.key());
        String named = problem.file() + problem.detail();
        assertEquals(2, cache.store().files().stream().filter(file -> named.contains(LabelFiles.name(file))).count(), named);
        assertEquals(1, summary.problems().size());
    }

    @Test
    void damagedDescriptionsAreNamedAndTheRestIsChecked() throws IOException {
        Files.writeString(cache.described("tokenizer.json"), Files.readString(cache.described("tokenizer.json")).replace("the", "teh"));
        assertTrue(only(verify(), Kind.DAMAGED_DESCRIPTION).file().endsWith("tokenizer.json"));
        try (var files = Files.walk(cache.described("snapshots"))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".parquet")).toList()) {
                Files.delete(file);
            }
        }
        assertEquals(2L, verify().problems().get(Kind.DAMAGED_DESCRIPTION));

        Path provenance = cache.described("provenance.json");
        new LabelJob(Distillery.spark(), distillery.settings("targets.k=4", "cache.path=" + cache.folder())).run();
        Files.writeString(provenance, "{\"teacher\": {}}");
        List<VerifySummary> both = new VerifyJob(Distillery.spark(), distillery.settings(), cache.selection(), 0).run();
        assertEquals(2, both.size());
        assertEquals(1, both.stream().filter(VerifySummary::sound).count());
        assertTrue(only(both.stream().filter(s -> !s.sound()).findFirst().orElseThrow(), Kind.DAMAGED_DESCRIPTION).detail().contains("vocab_size"));
    }

    @Test
    void anotherTeacherIsRefusedBeforeAnyWork() throws IOException {
        TinyLlama.write(folder.resolve("other.gguf"), 9);
        // With work, this would be found first.
        Files.writeString(cache.described("tokenizer.json"), "{}");
        UserException error = assertThrows(UserException.class, () -> verify(5, "teacher.path=" + folder.resolve("other.gguf")));
        assertTrue(error.problem().contains("another teacher"), error.getMessage());
        assertThrows(UserException.class, () -> verify(5, "teacher.precision=int8"));
    }

    @Test
    void aRowThatTheTeacherDidNotProduceIsFoundDespiteAValidChecksum() throws IOException {
        LabelledSequence old = cache.change(cache.file(1), row -> {
            SoftTargets targets = cache.labels().decode(row, "cache");
            // The least probable of the third position, so that the order stays.
            targets.probabilities()[23] *= 0.8f;
            return new LabelledSequence(row.document(), row.key(), row.tokens(), cache.labels().codec().encode(row.tokens(), targets),
                    row.teacherLoss(), row.teacherEntropy());
        });
        assertTrue(verify().sound());
        VerifySummary summary = verify(10_000);
        assertEquals(old.key(), only(summary, Kind.TEACHER_DISAGREES).key());
        assertEquals(summary.teacher().rows() - 1, summary.teacher().identical());
    }

    @Test
    void aLossThatTheTeacherDidNotProduceIsFound() throws IOException {
        LabelledSequence old = cache.change(cache.file(1), row -> new LabelledSequence(row.document(), row.key(), row.tokens(), row.targets(),
                row.teacherLoss() + 0.1f, row.teacherEntropy()));
        assertTrue(verify().sound());
        assertEquals(old.key(), only(verify(10_000), Kind.TEACHER_DISAGREES).key());
    }

    @Test
    void aSequenceTooLongForTheTeacherIsNamedAndStopsNothing() {
        int[] tokens = new int[258];
        Arrays.fill(tokens, 5);
        int positions = tokens.length - 1;
        int[] offsets = new int[positions + 1];
        int[] ids = new int[8 * positions];
        float[] probabilities = new float[8 * positions];
        Arrays.setAll(offsets, t -> 8 * t);
        Arrays.setAll(ids, i -> i % 8);
        Arrays.fill(probabilities, 0.1f);
        String key = cache.labels().key(tokens);
        cache.write(List.of(new LabelledSequence("document", key, tokens,
                cache.labels().codec().encode(tokens, new SoftTargets(offsets, ids, probabilities)), 1, 1)));
        VerifySummary summary = verify(10_000);
        Problem problem = only(summary, Kind.TEACHER_DISAGREES);
        assertEquals(key, problem.key());
        assertTrue(problem.detail().contains("256 positions"), problem.toString());
        assertEquals(summary.rows() - 1, summary.teacher().identical());
    }

    @Test
    void theSampleDependsOnTheSeedAloneAndNotOnTheFiles() {
        Sample one = draw(1);
        assertEquals(keys(one), keys(draw(1)));
        assertTrue(!keys(one).equals(keys(draw(2))));
        cache.write(List.of(cache.rows(cache.file(0)).get(0)));
        assertEquals(keys(one), keys(draw(1)));
    }

    private Sample draw(long seed) {
        var sc = new org.apache.spark.api.java.JavaSparkContext(Distillery.spark().sparkContext());
        var files = new LabelFiles(sc, cache.store());
        var labels = cache.labels();
        var tokens = sc.sc().longAccumulator();
        var keys = files.map((path, hadoop) -> CheckedFile.of(labels, path, hadoop, tokens))
                .flatMap(file -> file.rows().stream().map(row -> new KeyRows(file.path(), row)).iterator())
                .mapToPair(row -> new scala.Tuple2<>(row.row().key(), row)).reduceByKey(KeyRows::plus);
        return Sample.draw(keys, 7, seed);
    }

    private static List<String> keys(Sample sample) {
        return sample.rows().stream().map(drawn -> drawn.row().key()).toList();
    }
}
