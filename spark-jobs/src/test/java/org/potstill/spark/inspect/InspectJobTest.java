// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.LabelSummary;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

class InspectJobTest {
    @TempDir
    private static Path shared;
    private static Distillery distillery;
    private static LabelSummary labelled;

    @TempDir
    private Path folder;
    private LabelledCache cache;

    @BeforeAll
    static void label() {
        distillery = new Distillery(shared);
        labelled = new LabelJob(Distillery.spark(), distillery.settings()).run();
    }

    @BeforeEach
    void copy() throws IOException {
        cache = LabelledCache.copy(distillery.path("cache"), folder.resolve("cache"));
    }

    private CacheSummary inspect() {
        return new InspectJob(Distillery.spark(), cache.selection()).run().get(0);
    }

    private SequenceJob sequences() {
        return new SequenceJob(Distillery.spark(), cache.selection(), 40);
    }

    @Test
    void labelsOfAnotherVersionAreLeftOut() throws IOException {
        Path other = Files.createDirectories(cache.folder().resolve("teacher=0123456789abcdef/spec=sampled-50-seed-0"));
        Files.writeString(other.resolve("provenance.json"), "{}");
        assertEquals(1, new InspectJob(Distillery.spark(), cache.selection()).run().size());
        Selection named = new Selection(cache.folder().toString(), "", "sampled-50-seed-0");
        assertThrows(UserException.class, () -> new InspectJob(Distillery.spark(), named).run());
    }

    @Test
    void theFiguresAreThoseOfRowsFilesAndSnapshot() throws IOException {
        List<LabelledSequence> rows = cache.store().sequences().collect();
        double positions = rows.stream().mapToInt(LabelledSequence::positions).sum();
        CacheSummary summary = inspect();
        assertEquals(rows.size(), summary.rows());
        assertEquals(rows.size(), summary.keys());
        assertEquals(0, summary.duplicates());
        assertEquals(positions, (double) summary.positions());
        assertEquals(labelled.files(), summary.files());
        assertEquals(labelled.bytes(), summary.bytes());
        assertEquals((double) summary.bytes(), positions * summary.bytesPerToken().values().stream().mapToDouble(d -> d).sum(), 1);
        double targets = rows.stream().mapToInt(row -> row.targets().length).sum();
        assertEquals(targets / positions, summary.bytesPerToken().get("targets"), 0.15 * targets / positions);
        assertEquals(8, summary.entriesPerPosition());
        assertEquals(labelled.teacherLoss(), summary.teacherLoss(), 1e-6);
        assertEquals(Math.exp(labelled.teacherLoss()), summary.teacherPerplexity(), 1e-3);
        assertEquals(labelled.teacherEntropy(), summary.teacherEntropy(), 1e-6);
        assertEquals(labelled.corpus().sequences(), summary.snapshot().sequences());
        assertEquals(labelled.corpus().documents() - labelled.corpus().heldOut(), summary.snapshot().documents());
        assertEquals(rows.size(), summary.snapshot().keys());
        assertEquals(0, summary.snapshot().missingKeys() + summary.snapshot().unnamedRows() + summary.damagedRows() + summary.unreadableFiles());
        assertEquals(rows.size(), summary.entropies().stream().mapToLong(CacheSummary.Bar::rows).sum());
        for (CacheSummary.Bar bar : summary.entropies()) {
            assertEquals(rows.stream().filter(r -> r.teacherEntropy() >= bar.from() - 1e-9 && r.teacherEntropy() < bar.to() - 1e-9).count(),
                    bar.rows());
        }
        assertEquals("teacher.gguf", summary.provenance().path("teacher").path("name").asText());
        assertTrue(summary.writers().iterator().next().contains("parquet"), summary.toString());
        assertTrue(summary.provenance().path("created").asText().startsWith("20") && !summary.provenance().path("potstill").asText().isEmpty());
        String text = InspectText.of(List.of(summary));
        assertTrue(text.contains("teacher.gguf, fp32 on onnx"), text);
        assertTrue(text.contains(summary.provenance().path("teacher").path("fingerprint").asText()), text);
        assertTrue(text.contains("########## ") && text.contains("8.0 token ids per position"), text);
    }

    @Test
    void duplicatesAndRowsThatTheSnapshotDoesNotNameAreCounted() throws IOException {
        List<LabelledSequence> some = cache.rows(cache.file(0)).subList(0, 3);
        cache.write(some);
        Distillery.write(folder.resolve("corpus/one.txt"), Distillery.text(0, 120));
        LabelSummary fewer = new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + cache.folder(),
                "corpus.path=" + folder.resolve("corpus"), "corpus.holdout=0")).run();
        CacheSummary summary = inspect();
        assertEquals(3, summary.duplicates());
        assertEquals(summary.rows() - 3, summary.keys());
        assertEquals(1, summary.snapshot().documents());
        assertEquals(fewer.corpus().sequences(), summary.snapshot().sequences());
        List<String> named = cache.store().snapshot().map(e -> e.key()).collect();
        long unnamed = cache.store().files().stream().flatMap(file -> cache.rows(Path.of(file.replaceFirst("^file:/*", "/"))).stream())
                .filter(row -> !named.contains(row.key())).count();
        assertTrue(unnamed > 10);
        assertEquals(unnamed, summary.snapshot().unnamedRows());
    }

    @Test
    void everyTeacherAndSpecificationIsShownUnlessOneIsAskedFor() {
        new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + cache.folder(), "targets.k=4")).run();
        TinyLlama.write(folder.resolve("other.gguf"), 9);
        new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + cache.folder(), "teacher.path=" + folder.resolve("other.gguf"))).run();
        List<CacheSummary> all = new InspectJob(Distillery.spark(), cache.selection()).run();
        assertEquals(3, all.size());
        String first = all.stream().map(s -> s.provenance().path("teacher")).filter(t -> t.path("name").asText().equals("teacher.gguf"))
                .findFirst().orElseThrow().path("fingerprint").asText();
        assertEquals(2, narrowed(first.substring(0, 5), "").size());
        assertEquals(1, narrowed(first.substring(0, 40), "top-4").size());
        assertEquals(2, narrowed("", "top-8").size());
        UserException none = assertThrows(UserException.class, () -> narrowed(first.substring(0, 20) + "x", ""));
        assertTrue(none.cause().contains("spec=top-4"), none.getMessage());
    }

    private List<CacheSummary> narrowed(String teacher, String spec) {
        return new InspectJob(Distillery.spark(), new Selection(cache.folder().toString(), teacher, spec)).run();
    }

    @Test
    void aTornFileADamagedRowAndAMissingSnapshotDoNotHideTheRest() throws IOException {
        Path torn = cache.file(0);
        int lost = cache.rows(torn).size();
        long rows = inspect().rows();
        cache.delete(torn);
        Files.write(torn, new byte[] {'P', 'A', 'R', '1', 0});
        cache.change(cache.file(1),
                row -> new LabelledSequence(row.document(), row.key(), row.tokens(), row.targets(), Float.NaN, row.teacherEntropy()));
        CacheSummary summary = inspect();
        assertEquals(rows - lost, summary.rows());
        assertEquals(1, summary.damagedRows());
        assertEquals(1, summary.unreadableFiles());
        assertEquals(lost, summary.snapshot().missingKeys());
        assertTrue(Double.isFinite(summary.teacherLoss()));
        assertTrue(InspectText.of(List.of(summary)).contains(torn.getFileName().toString()));
        Files.delete(cache.described("snapshots/current.json"));
        assertNull(inspect().snapshot());
    }

    @Test
    void oneSequenceIsDecodedWithTheTeachersOwnProbabilities() {
        int listed = 0;
        try (Tokenizer tokenizer = new Tokenizer(cache.store().tokenizer());
                Teacher teacher = OnnxTeacher.open(distillery.teacher(),
                        new TeacherOptions(TeacherOptions.Device.CPU, 2, distillery.path("scratch")))) {
            for (LabelledSequence row : cache.rows(cache.file(0)).subList(0, 4)) {
                listed += compare(row, sequences().byKey(row.key().substring(0, 12)), tokenizer, teacher);
            }
        }
        assertTrue(listed > 0);
        LabelledSequence row = cache.rows(cache.file(0)).get(0);
        DecodedSequence decoded = sequences().byKey(row.key());
        String text = InspectText.of(decoded);
        assertEquals(row.positions(), text.lines().filter(line -> line.matches(" +\\d+ .* %.*")).count(), text);
        assertEquals(3, new SequenceJob(Distillery.spark(), cache.selection(), 3).byKey(row.key()).positions().size());
    }

    /** @return how many tokens that came had a probability */
    private static int compare(LabelledSequence row, DecodedSequence decoded, Tokenizer tokenizer, Teacher teacher) {
        assertEquals(row.key(), decoded.key());
        assertEquals(row.positions(), decoded.positions().size());
        int listed = 0;
        float[] logits = teacher.logits(Arrays.copyOf(row.tokens(), row.positions()));
        int vocab = teacher.vocabSize();
        for (DecodedSequence.Position p : decoded.positions()) {
            double sum = 0;
            int best = 0;
            for (int v = 0; v < vocab; v++) {
                sum += Math.exp(logits[p.position() * vocab + v]);
                best = logits[p.position() * vocab + v] > logits[p.position() * vocab + best] ? v : best;
            }
            assertEquals(row.tokens()[p.position() + 1], p.came().id());
            assertEquals(tokenizer.decode(new int[] {p.came().id()}), p.came().text());
            assertEquals(5, p.guesses().size());
            assertEquals(Math.exp(logits[p.position() * vocab + best]) / sum, p.guesses().get(0).probability(), 0.011);
            if (p.came().probability() != null) {
                assertEquals(Math.exp(logits[p.position() * vocab + p.came().id()]) / sum, p.came().probability(), 0.011);
                listed++;
            }
        }
        return listed;
    }

    @Test
    void aSequenceOfADocumentIsFoundByItsPlace() {
        var entry = cache.store().snapshot().filter(e -> e.sequence() == 2).first();
        DecodedSequence decoded = sequences().ofDocument(entry.document(), 2);
        assertEquals(entry.key(), decoded.key());
        assertEquals(entry.document(), decoded.document());
        assertThrows(UserException.class, () -> sequences().ofDocument(entry.document(), 1_000));
        assertThrows(UserException.class, () -> sequences().ofDocument("no such document", 0));
    }

    @Test
    void unknownAndAmbiguousKeysAreRefused() {
        assertTrue(assertThrows(UserException.class, () -> sequences().byKey("")).cause().contains("32"));
        assertThrows(UserException.class, () -> sequences().byKey("\u001b[31m"));
        assertTrue(assertThrows(UserException.class, () -> sequences().byKey("0123456789abcdef0123456789abcdef")).problem().contains("no sequence"));
        String common = cache.store().sequences().map(LabelledSequence::key).collect().stream().collect(Collectors.groupingBy(key -> key.substring(0, 1), Collectors.counting()))
                .entrySet().stream().filter(first -> first.getValue() > 1).findFirst().orElseThrow().getKey();
        assertTrue(assertThrows(UserException.class, () -> sequences().byKey(common)).problem().contains("several"));
    }

    @Test
    void controlCharactersNeverReachTheTerminal() {
        String hostile = "\u001b[2J\u0007\u009b31m\r\n\u202e\u200b";
        var token = new DecodedSequence.Token(7, hostile, 0.5);
        String text = InspectText.of(new DecodedSequence(hostile, hostile, hostile, "00", 3, 1, 1, token,
                List.of(new DecodedSequence.Position(0, token, List.of(token, new DecodedSequence.Token(8, "", null)), 0.1))));
        assertTrue(text.lines().flatMapToInt(String::chars)
                .noneMatch(c -> Character.isISOControl(c) || Character.getType(c) == Character.FORMAT), text);
        assertTrue(text.contains("#8") && text.contains("\\u001b[2J"), text);
        assertFalse(text.contains("\u009b"));
    }
}
