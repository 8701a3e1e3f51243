// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.report.Report;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

class LabelJobTest {
    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
    }

    private LabelSummary label(String... overrides) {
        return new LabelJob(Distillery.spark(), distillery.settings(overrides)).run();
    }

    private LabelStore store() {
        return LabelStores.find(Distillery.spark(), distillery.path("cache").toString(), TargetSpec.topK(8), null);
    }

    @Test
    void everySequenceOfTheCorpusHasTheTeachersOwnTopKInTheCache() {
        LabelSummary summary = label();
        LabelStore store = store();
        List<LabelledSequence> rows = store.sequences().collect();
        assertEquals(summary.corpus().positions(), summary.scoredTokens());
        assertTrue(rows.size() > 20);
        assertTrue(summary.files() > 2);
        assertEquals(summary.corpus().sequences(), store.snapshot().count());
        List<String> keys = rows.stream().map(LabelledSequence::key).toList();
        assertTrue(store.snapshot().map(SnapshotEntry::key).collect().stream().allMatch(keys::contains));
        try (Teacher teacher = OnnxTeacher.open(distillery.teacher(),
                new TeacherOptions(TeacherOptions.Device.CPU, 2, distillery.path("scratch")))) {
            for (LabelledSequence row : rows.subList(0, 5)) {
                SoftTargets targets = store.labels().decode(row, "cache");
                float[] logits = teacher.logits(Arrays.copyOf(row.tokens(), row.positions()));
                double loss = 0;
                for (int t = 0; t < row.positions(); t++) {
                    double[] logP = naiveLogSoftmax(logits, t, teacher.vocabSize());
                    Integer[] best = Stream.iterate(0, i -> i + 1).limit(logP.length).toArray(Integer[]::new);
                    Arrays.sort(best, (a, b) -> Double.compare(logP[b], logP[a]));
                    for (int i = 0; i < 8; i++) {
                        assertEquals(logP[best[i]], logP[targets.ids()[targets.begin(t) + i]], 1e-4);
                        assertEquals(logP[best[i]], Math.log(targets.probabilities()[targets.begin(t) + i]), 0.0105);
                    }
                    loss -= logP[row.tokens()[t + 1]];
                }
                assertEquals(loss / row.positions(), row.teacherLoss(), 1e-4);
            }
            double entropy = 0;
            for (LabelledSequence row : rows) {
                float[] logits = teacher.logits(Arrays.copyOf(row.tokens(), row.positions()));
                for (int t = 0; t < row.positions(); t++) {
                    entropy -= Arrays.stream(naiveLogSoftmax(logits, t, teacher.vocabSize())).map(logP -> Math.exp(logP) * logP).sum();
                }
            }
            assertEquals(entropy / summary.scoredTokens(), summary.teacherEntropy(), 1e-4);
        }
    }

    @Test
    void nd4jFillsTheCacheWithWhatOnnxRuntimeFillsItWith() {
        label();
        Map<String, LabelledSequence> expected = new HashMap<>();
        store().sequences().collect().forEach(row -> expected.put(row.key(), row));
        LabelSummary summary = label("teacher.engine=nd4j", "cache.path=" + folder.resolve("by-nd4j"));
        assertEquals(1, summary.executors().get(0).modelLoads());
        LabelStore store = LabelStores.find(Distillery.spark(), folder.resolve("by-nd4j").toString(), TargetSpec.topK(8), null);
        List<LabelledSequence> rows = store.sequences().collect();
        assertEquals(expected.size(), rows.size());
        int differentIds = 0;
        for (LabelledSequence row : rows) {
            LabelledSequence other = expected.get(row.key());
            assertEquals(other.teacherLoss(), row.teacherLoss(), 1e-5);
            SoftTargets theirs = store.labels().decode(other, "onnx");
            SoftTargets ours = store.labels().decode(row, "nd4j");
            for (int i = 0; i < theirs.ids().length; i++) {
                assertEquals(Math.log(theirs.probabilities()[i]), Math.log(ours.probabilities()[i]), 0.0105);
                differentIds += theirs.ids()[i] == ours.ids()[i] ? 0 : 1;
            }
        }
        // Two ids change places where the engines' rounding decides between equals.
        assertTrue(differentIds <= 0.001 * 8 * summary.scoredTokens(), differentIds + " ids differ");
    }

    @Test
    void rerunningAnUnchangedCorpusCallsTheTeacherZeroTimes() {
        LabelSummary first = label();
        assertTrue(first.scoredTokens() > 0);
        LabelSummary second = label();
        assertEquals(0, second.scoredTokens());
        assertTrue(second.executors().isEmpty());
        assertEquals(first.corpus(), second.corpus());
    }

    @Test
    void anAddedDocumentIsScoredAloneAndARemovedOneLeavesTheSnapshot() throws Exception {
        LabelSummary first = label("corpus.holdout=0");
        Distillery.write(distillery.corpus().resolve("new.txt"), Distillery.text(99, 50));
        LabelSummary second = label("corpus.holdout=0");
        assertEquals(second.corpus().positions() - first.corpus().positions(), second.scoredTokens());
        assertTrue(second.scoredTokens() > 0 && second.scoredTokens() < first.scoredTokens() / 5);
        Files.delete(distillery.corpus().resolve("new.txt"));
        assertEquals(0, label("corpus.holdout=0").scoredTokens());
        assertEquals(first.corpus().sequences(), store().snapshot().count());
    }

    @Test
    void aTextThatStandsTwiceInTheCorpusIsScoredOnce() {
        LabelSummary first = label("corpus.holdout=0");
        Distillery.write(distillery.corpus().resolve("copy.txt"), Distillery.text(3, 120));
        LabelSummary second = label("corpus.holdout=0");
        assertEquals(0, second.scoredTokens());
        assertTrue(second.corpus().sequences() > first.corpus().sequences());
    }

    @Test
    void theSameCorpusGivesTheSameBytesWhateverTheShards() {
        label("cache.shard-tokens=100");
        Map<String, byte[]> once = new HashMap<>();
        store().sequences().collect().forEach(row -> once.put(row.key(), row.targets()));
        label("cache.shard-tokens=100000", "batch-tokens=4096", "cache.path=" + folder.resolve("other"));
        List<LabelledSequence> again = LabelStores.find(Distillery.spark(), folder.resolve("other").toString(), TargetSpec.topK(8), null)
                .sequences().collect();
        assertEquals(once.size(), again.size());
        again.forEach(row -> assertArrayEquals(once.get(row.key()), row.targets()));
    }

    @Test
    void theModelIsLoadedOncePerExecutor() {
        // Another folder is another teacher to the executor's cache: this run cannot find one loaded by another test.
        LabelSummary summary = label("teacher.scratch=" + folder.resolve("fresh"));
        assertEquals(1, summary.executors().size());
        ExecutorShare all = summary.executors().get(0);
        assertEquals(new ExecutorShare("driver", -1, summary.scoredTokens(), all.seconds(), 1, 0), all);
        assertTrue(all.seconds() > 0 && all.seconds() < summary.seconds(), summary.toString());
        assertNull(summary.cost(), "no price");
    }

    @Test
    void theShareOfThePeakIsModelFlopsPerSecondOfScoring() {
        LabelSummary summary = label("corpus.holdout=0", "hardware.teacher-tflops=0.5", "hardware.price-per-hour=3.6");
        ModelFlops flops;
        try (Checkpoint teacher = (Checkpoint) Teachers.model(distillery.teacher())) {
            flops = ModelFlops.of(teacher.config());
        }
        double expected = store().sequences().collect().stream().mapToDouble(row -> flops.forward(row.positions())).sum();
        assertEquals(expected, summary.hardware().modelFlops(), 1e-9 * expected);
        assertEquals(0.5e12, summary.hardware().peak(), 1);
        assertEquals(expected / (0.5e12 * summary.executors().get(0).seconds()), summary.hardware().share(), 1e-6);
        assertEquals(summary.seconds() / 1000 / summary.scoredTokens() * 1e6, summary.cost().perMillionTokens(), 1e-9);
        LabelSummary nothing = label("corpus.holdout=0", "hardware.price-per-hour=3.6");
        assertNull(nothing.hardware());
        assertNull(nothing.cost());
    }

    @Test
    void badDocumentsGoToTheQuarantineWithTheirReasonAndTheRestIsLabelled() {
        Distillery.write(distillery.corpus().resolve("bad.txt"), new byte[] {'x', (byte) 0xff, (byte) 0xfe});
        LabelSummary summary = label("corpus.max-bad-share=0.2");
        assertEquals(1, summary.corpus().unusable());
        assertTrue(summary.scoredTokens() > 0);
        var quarantined = Distillery.spark().read().json(store().quarantinePath()).collectAsList();
        assertEquals(1, quarantined.size());
        assertTrue(quarantined.get(0).<String>getAs("document").endsWith("bad.txt"));
        assertTrue(quarantined.get(0).<String>getAs("problem").contains("UTF-8"));
    }

    @Test
    void theCommonestReasonsComeFirstWithTheirCounts() {
        for (int i = 0; i < 3; i++) {
            Distillery.write(distillery.corpus().resolve("zeros-" + i + ".txt"), "a\0");
        }
        Distillery.write(distillery.corpus().resolve("picture.txt"), new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
        UserException error = assertThrows(UserException.class, this::label);
        assertTrue(error.problem().contains("4 of 16 documents"), error.problem());
        assertTrue(error.cause().matches("3 × it holds NUL.*zeros-0\\.txt\\); 1 × it is a picture.*"), error.cause());
    }

    @Test
    void tooManyBadDocumentsEndTheJobBeforeTheTeacherIsPaid() {
        Distillery.write(distillery.corpus().resolve("bad.txt"), new byte[] {'x', (byte) 0xff, (byte) 0xfe});
        UserException error = assertThrows(UserException.class, this::label);
        assertTrue(error.problem().contains("1 of 13 documents"));
        assertTrue(error.cause().contains("quarantine"));
        assertTrue(error.cause().startsWith("1 × not UTF-8: byte 0xFF at offset 1") && error.cause().contains("bad.txt"), error.cause());
        assertTrue(store().isEmpty());
    }

    @Test
    void aCorpusOfWhichNothingCanBeUsedIsRefusedWithTheReason() {
        Distillery.write(folder.resolve("bad/a.txt"), new byte[] {'x', (byte) 0xff, (byte) 0xfe});
        for (String share : List.of("1", "0.01")) {
            UserException error = assertThrows(UserException.class, () -> label("corpus.path=" + folder + "/bad", "corpus.max-bad-share=" + share));
            assertTrue(error.cause().contains("not UTF-8") && !error.remedy().contains("holdout") && !error.remedy().contains("share"), error.getMessage());
        }
    }

    @Test
    void anIdFieldThatNoDocumentHasIsRefusedBeforeTheTeacherIsPaid() {
        String line = "{\"text\": \"" + Distillery.text(1, 40) + "\", \"name\": null}\n";
        Distillery.write(folder.resolve("c/date=1/a.jsonl"), line + line);
        UserException error = assertThrows(UserException.class, () -> label("corpus.path=" + folder + "/c", "corpus.id-field=nope"));
        assertTrue(error.problem().contains("has an id in 'nope'") && error.remedy().contains("corpus.id-field"), error.getMessage());
        assertThrows(UserException.class, () -> label("corpus.path=" + folder + "/c", "corpus.id-field=name"));
        assertThrows(UserException.class, () -> label("corpus.id-field=nope"));
        assertTrue(store().isEmpty());
        Distillery.write(folder.resolve("c/b.jsonl"), line.replace("null", "7"));
        assertEquals(3, label("corpus.path=" + folder + "/c", "corpus.id-field=name", "corpus.holdout=0").corpus().documents());
        assertEquals(3, label("corpus.path=" + folder + "/c", "corpus.id-field=date", "corpus.holdout=0").corpus().documents());
    }

    @Test
    void aSecondRunOverAFolderThatAlsoHoldsTheCacheReadsTheSameDocuments() {
        String[] all = {"corpus.path=" + folder, "corpus.format=text", "report.path=" + folder + "/report"};
        LabelSummary first = label(all);
        new Report(distillery.settings(all), new Configuration()).put("label", first);
        LabelSummary second = label(all);
        assertEquals(12, first.corpus().documents());
        assertEquals(first.corpus(), second.corpus());
        assertEquals(0, second.scoredTokens());
    }

    @Test
    void idsThatSeveralDocumentsHaveAreCounted() {
        List<TokenizedDocument> documents = Stream.of("b", "a", "a", "c", "b", "b", "d")
                .map(id -> new TokenizedDocument(id, null, false, List.of(), null)).toList();
        JavaSparkContext sc = new JavaSparkContext(Distillery.spark().sparkContext());
        assertEquals(new SharedIds(2, 5, "a"), SharedIds.of(sc.parallelize(documents, 3)).orElseThrow());
        assertTrue(SharedIds.of(sc.parallelize(documents.subList(0, 2))).isEmpty());
        assertTrue(SharedIds.of(sc.parallelize(List.of(new TokenizedDocument("a", "bad", false, List.of(), null), documents.get(1)))).isEmpty());
    }

    @Test
    void aTruncatedTeacherIsRefused() throws Exception {
        byte[] bytes = Files.readAllBytes(distillery.teacher());
        Files.write(distillery.teacher(), Arrays.copyOf(bytes, bytes.length - 1000));
        assertTrue(assertThrows(UserException.class, this::label).getMessage().contains("teacher.gguf"));
    }

    @Test
    void aMissingTeacherIsRefusedWithTheRemedy() {
        UserException error = assertThrows(UserException.class, () -> label("teacher.path=" + folder.resolve("none.gguf")));
        assertTrue(error.problem().contains("none.gguf") && error.remedy().contains("teacher.path"));
    }

    @Test
    void aCacheThatCannotBeWrittenIsRefusedBeforeAnyWork() {
        Distillery.write(folder.resolve("file"), "not a folder");
        UserException error = assertThrows(UserException.class, () -> label("cache.path=" + folder.resolve("file/cache")));
        assertTrue(error.problem().contains("cannot write the cache"));
    }

    @Test
    void sequencesLongerThanTheTeacherWasMadeForAreRefused() {
        assertTrue(assertThrows(UserException.class, () -> label("sequence-length=257")).cause().contains("256"));
    }

    @Test
    void anExplicitGpuWithoutOneFailsAtOnce() {
        Exception thrown = assertThrows(Exception.class,
                () -> label("teacher.device=cuda", "teacher.scratch=" + folder.resolve("gpu")));
        UserException error = Failures.within(thrown).orElseThrow();
        assertTrue(error.problem().contains("CUDA"), error.getMessage());
        thrown = assertThrows(Exception.class, () -> label("teacher.device=cuda", "teacher.engine=nd4j"));
        assertTrue(Failures.within(thrown).orElseThrow().cause().contains("ND4J for the CPU only"));
        assertFalse(Files.exists(distillery.path("cache")) && !store().isEmpty());
    }

    @Test
    void anotherTeachersLabelsLieBesideTheFirstOnes() {
        label();
        TinyLlama.write(distillery.teacher(), 8);
        LabelSummary second = label();
        assertTrue(second.scoredTokens() > 0);
        assertEquals(2, distillery.path("cache").toFile().list((d, name) -> name.startsWith("teacher=")).length);
        assertTrue(assertThrows(UserException.class, this::store).problem().contains("several teachers"));
    }

    @Test
    void whatAKilledWriterLeftBehindIsNotRead() throws Exception {
        label();
        long rows = store().sequences().count();
        Path labels = Path.of(store().labelsPath().replaceFirst("^file:", ""));
        Files.write(labels.resolve("_incoming-dead.parquet"), new byte[] {'P', 'A', 'R', '1', 0, 1, 2});
        assertEquals(rows, store().sequences().count());
        assertEquals(0, label().scoredTokens());
        assertFalse(store().isEmpty());
    }

    private static double[] naiveLogSoftmax(float[] logits, int row, int vocab) {
        double[] logP = new double[vocab];
        double sum = 0;
        for (int v = 0; v < vocab; v++) {
            sum += Math.exp(logits[row * vocab + v]);
        }
        for (int v = 0; v < vocab; v++) {
            logP[v] = logits[row * vocab + v] - Math.log(sum);
        }
        return logP;
    }
}
