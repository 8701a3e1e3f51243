// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.upkeep.CacheCompaction;
import org.potstill.spark.cache.upkeep.CachePruning;

/** Label runs over a corpus that an earlier run saw, each compared with a run that reads all of it. */
class RerunTest {
    private static final int FILES = 4;
    private static final int DOCUMENTS = 6;
    private static final long OLD = 1_700_000_000_000L;

    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
        for (int file = 0; file < FILES; file++) {
            write(file, "", 0);
        }
    }

    /** Writes documents of 20 words each, some of which are held out, an empty and a bad one. */
    private void write(int file, String more, long later) {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < DOCUMENTS; i++) {
            lines.append(line(file + "-" + i, Distillery.text(100L * file + i, 20)));
        }
        write(file(file), lines + (file == 1 ? line("empty", "") + "{\"id\": \"bad\", \"text\": 7}\n" : "") + more, later);
    }

    private static String line(String id, String text) {
        return String.format(Locale.ROOT, "{\"id\": \"%s\", \"text\": \"%s\"}\n", id, text);
    }

    /** Three documents that are not held out. */
    private static String added() {
        return line("added-1", Distillery.text(6, 20)) + line("added-2", Distillery.text(10, 20)) + line("added-3", Distillery.text(12, 20));
    }

    private Path file(int number) {
        return folder.resolve("lines/part-" + number + ".jsonl");
    }

    private static void write(Path file, String text, long later) {
        Distillery.write(file, text);
        touch(file, OLD + later);
    }

    private static void touch(Path file, long millis) {
        try {
            Files.setLastModifiedTime(file, FileTime.fromMillis(millis));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String[] all(String... overrides) {
        List<String> all = new ArrayList<>(List.of("corpus.path=" + folder.resolve("lines"), "corpus.id-field=id", "corpus.max-bad-share=0.5",
                "corpus.holdout=0.3"));
        all.addAll(List.of(overrides));
        return all.toArray(String[]::new);
    }

    private LabelSummary label(String... overrides) {
        return new LabelJob(Distillery.spark(), distillery.settings(all(overrides))).run();
    }

    private LabelStore store(String cache) {
        return LabelStores.find(Distillery.spark(), folder.resolve(cache).toString(), TargetSpec.topK(8), null);
    }

    /** What readers see of a cache: the snapshot's settings and rows, the quarantine, and the labels. */
    private List<String> content(String cache) {
        LabelStore store = store(cache);
        ObjectNode about = store.currentSnapshot().deepCopy();
        about.remove("run");
        List<String> content = new ArrayList<>(List.of(about.toString()));
        content.addAll(rows(store.snapshotTable()));
        content.addAll(rows(Distillery.spark().read().json(store.quarantinePath())));
        content.addAll(rows(store.rows().drop(LabelStore.FILE).selectExpr("document", "key", "tokens", "hex(targets)", "teacher_loss")));
        return content;
    }

    private static List<String> rows(Dataset<Row> table) {
        return table.collectAsList().stream().map(Row::toString).sorted().toList();
    }

    /** Labels again, and compares the cache and what is counted with those of a run that reads everything. */
    private LabelSummary rerun(String... overrides) {
        LabelSummary summary = label(overrides);
        List<String> content = content("cache");
        List<String> full = new ArrayList<>(List.of(overrides));
        full.add("corpus.full=true");
        LabelSummary whole = label(full.toArray(String[]::new));
        assertEquals(0, whole.reuse().taken());
        assertEquals(0, whole.scoredTokens());
        assertEquals(whole.corpus(), summary.corpus());
        assertEquals(content("cache"), content);
        return summary;
    }

    private static void assertReuse(int read, int taken, LabelSummary summary) {
        assertEquals(new CorpusReuse(read, taken), summary.reuse());
    }

    @Test
    void anUnchangedCorpusIsNotReadAndTheSnapshotStays() throws Exception {
        LabelSummary first = label();
        assertReuse(FILES, 0, first);
        assertEquals(FILES * DOCUMENTS + 2, first.corpus().documents());
        assertTrue(first.corpus().heldOut() > 2 && first.corpus().unusable() == 1, first.toString());
        String run = store("cache").currentSnapshot().path("run").asText();
        List<String> content = content("cache");
        assertReuse(0, FILES, label());
        assertEquals(content, content("cache"));
        assertEquals(first.corpus(), rerun().corpus());
        assertEquals(run, store("cache").currentSnapshot().path("run").asText());
        // Not read, indeed: nobody could.
        for (int file = 0; file < FILES; file++) {
            long length = Files.size(file(file));
            Distillery.write(file(file), "x".repeat((int) length));
            touch(file(file), OLD);
        }
        assertThrows(UserException.class, this::label);
    }

    @Test
    void ofAChangedCorpusOnlyWhatChangedIsRead() throws Exception {
        LabelSummary first = label();
        write(2, added(), 1000);
        LabelSummary grown = rerun();
        assertReuse(1, FILES - 1, grown);
        assertEquals(first.corpus().documents() + 3, grown.corpus().documents());
        assertTrue(grown.scoredTokens() > 0 && grown.scoredTokens() < first.scoredTokens() / 2, grown.toString());

        write(file(9), line("new", Distillery.text(8, 40)), 0);
        assertReuse(1, FILES, rerun());
        Files.delete(file(0));
        LabelSummary fewer = rerun();
        assertReuse(0, FILES, fewer);
        assertEquals(0, fewer.scoredTokens());
        assertEquals(grown.corpus().documents() + 1 - DOCUMENTS, fewer.corpus().documents());
        Files.move(file(1), file(5));
        assertReuse(1, FILES - 1, rerun());
        touch(file(3), OLD + 5000);
        LabelSummary touched = rerun();
        assertReuse(1, FILES - 1, touched);
        assertEquals(0, touched.scoredTokens());
        assertReuse(0, FILES, rerun());
    }

    @Test
    void anotherContentOfTheSameLengthAndTimeShowsInASample() throws Exception {
        write(file(3), line("long", Distillery.text(1, 30_000)), 0);
        label("corpus.max-document-mib=1");
        String text = Files.readString(file(2));
        write(file(2), text.replace("2-1", "2-x"), 0);
        assertReuse(1, FILES - 1, rerun("corpus.max-document-mib=1"));
        // The end of a file that is not read whole for its sample.
        String end = Files.readString(file(3));
        write(file(3), end.replaceFirst("\\w(\\W*)$", "q$1"), 0);
        assertEquals(end.length(), Files.size(file(3)));
        assertReuse(1, FILES - 1, rerun("corpus.max-document-mib=1"));
    }

    @Test
    void afterAChangeOfSettingsAllIsRead() {
        label();
        for (String setting : List.of("sequence-length=16", "corpus.holdout=0.1", "seed=7", "corpus.text-field=id", "corpus.id-field=", "corpus.special-tokens=true",
                "corpus.end-documents=always", "corpus.max-document-mib=2", "train.response-start=the")) {
            assertReuse(FILES, 0, label(setting, "train.learn-from=" + (setting.startsWith("train") ? "responses" : "everything"), "train.max-unmarked-share=0.9"));
        }
        assertReuse(FILES, 0, label());
        assertReuse(0, FILES, label("train.learning-rate=0.1"));
        assertReuse(0, FILES, label("cache.shard-tokens=500", "corpus.max-bad-share=0.4"));
    }

    @Test
    void theShareOfUnusableDocumentsIsOfAllDocuments() {
        label();
        UserException error = assertThrows(UserException.class, () -> label("corpus.max-bad-share=0.001"));
        assertTrue(error.problem().contains("1 of " + (FILES * DOCUMENTS + 2) + " documents"), error.problem());
        assertTrue(error.cause().contains("(bad)") || error.cause().contains("bad"), error.cause());
    }

    @Test
    void idsThatFilesShareAreFoundWhetherTheFilesAreReadOrNot() {
        label();
        write(0, line("1-0", Distillery.text(55, 20)) + line("1-1", Distillery.text(56, 20)) + line("1-2", Distillery.text(57, 20))
                + line("1-3", Distillery.text(58, 20)), 1000);
        SeenDocuments[] seen = new SeenDocuments[1];
        assertReuse(1, FILES - 1, rerun());
        try (LabelJob job = new LabelJob(Distillery.spark(), distillery.settings(all()))) {
            job.open();
            job.read();
            seen[0] = job.documents();
            assertTrue(seen[0].isNothing());
            assertEquals(new SharedIds(4, 8, "1-0"), seen[0].sharedIds().orElseThrow());
        }
    }

    @Test
    void aFileThatWasJustModifiedIsNotTrusted() {
        touch(file(0), System.currentTimeMillis());
        label();
        assertReuse(1, FILES - 1, label());
        touch(file(0), System.currentTimeMillis() + 3_600_000);
        assertReuse(1, FILES - 1, label());
        assertReuse(1, FILES - 1, label());
    }

    @Test
    void labelsThatWerePrunedOrLostAreScoredAgain() throws Exception {
        LabelSummary first = label();
        List<String> content = content("cache");
        new CacheCompaction(Distillery.spark(), CacheCompaction.TARGET_BYTES).compact(store("cache"));
        // Other files with the same labels: the record is renewed, and nothing is read.
        assertReuse(0, FILES, rerun());
        assertReuse(0, FILES, rerun());
        new CachePruning(Distillery.spark(), Duration.ZERO, false).prune(store("cache"));
        assertReuse(0, FILES, rerun());
        FileUtils.deleteDirectory(Path.of(store("cache").labelsPath().replaceFirst("^file:", "")).toFile());
        LabelSummary again = label();
        assertReuse(FILES, 0, again);
        assertEquals(first.scoredTokens(), again.scoredTokens());
        assertEquals(content, content("cache"));
    }

    @Test
    void onlyFilesWithLostLabelsAreReadAgain() {
        label("corpus.path=" + file(0));
        LabelStore store = store("cache");
        List<Path> before = files(store.labelsPath());
        label();
        List<Path> after = new ArrayList<>(files(store.labelsPath()));
        after.removeAll(before);
        before.forEach(file -> FileUtils.deleteQuietly(file.toFile()));
        assertFalse(after.isEmpty());
        LabelSummary again = rerun();
        assertReuse(1, FILES - 1, again);
        assertTrue(again.scoredTokens() > 0);
    }

    private static List<Path> files(String path) {
        try (Stream<Path> all = Files.walk(Path.of(path.replaceFirst("^file:", "")))) {
            return all.filter(Files::isRegularFile).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aRecordThatCannotBeUsedCostsAFullReadAndNothingElse() throws Exception {
        LabelSummary first = label();
        write(0, line("more", "to read"), 1000);
        label();
        FileUtils.copyDirectory(folder.resolve("cache").toFile(), folder.resolve("good").toFile());
        Path good = Path.of(store("good").folder().path("snapshots/" + store("good").currentSnapshot().path("run").asText()).toUri().getPath());
        List<String> damaged = new ArrayList<>();
        write(3, line("yet", "more"), 2000);
        for (Path file : files(good.toString())) {
            String name = good.relativize(file).toString();
            if (name.endsWith(".crc") || name.endsWith("_SUCCESS")) {
                continue;
            }
            for (String how : List.of("gone", "torn", "other")) {
                restore();
                Path hurt = folder.resolve("cache").resolve(folder.resolve("good").relativize(file));
                FileUtils.deleteQuietly(hurt.resolveSibling("." + hurt.getFileName() + ".crc").toFile());
                if (how.equals("gone")) {
                    Files.delete(hurt);
                } else {
                    byte[] bytes = Files.readAllBytes(hurt);
                    Files.write(hurt, how.equals("torn") ? Arrays.copyOf(bytes, bytes.length / 2) : "{\"version\": 2}".getBytes(StandardCharsets.UTF_8));
                }
                LabelSummary summary = label();
                assertReuse(FILES, 0, summary);
                assertEquals(first.corpus().documents() + 2, summary.corpus().documents());
                damaged.add(name);
            }
        }
        // And that run's record is good again.
        assertReuse(0, FILES, label());
        assertTrue(damaged.size() >= 9, damaged.toString());
    }

    @Test
    void aDamagedRecordOfAnUnchangedCorpusIsReplaced() throws Exception {
        label();
        String id = store("cache").currentSnapshot().path("id").asText();
        for (String damaged : List.of("_corpus/parts", "_corpus/documents", "")) {
            String run = store("cache").folder().path("snapshots/" + store("cache").currentSnapshot().path("run").asText() + "/" + damaged).toUri().getPath();
            for (Path file : files(run)) {
                if (file.getParent().equals(Path.of(run)) && file.toString().endsWith(".parquet")) {
                    Files.delete(file);
                }
            }
            assertReuse(FILES, 0, label());
            assertReuse(0, FILES, label());
            assertEquals(id, store("cache").currentSnapshot().path("id").asText());
            assertEquals(id.substring(id.indexOf('-') + 1), String.valueOf(store("cache").snapshot().count()));
        }
    }

    private void restore() throws IOException {
        FileUtils.deleteDirectory(folder.resolve("cache").toFile());
        FileUtils.copyDirectory(folder.resolve("good").toFile(), folder.resolve("cache").toFile());
    }

    @Test
    void aSnapshotWithOtherRowsThanItsIdNamesIsNotTakenOver() throws Exception {
        label();
        LabelStore store = store("cache");
        Path run = Path.of(store.folder().path("snapshots/" + store.currentSnapshot().path("run").asText()).toUri().getPath());
        Dataset<Row> rows = Distillery.spark().read().parquet(run.toString());
        Dataset<Row> forged = rows.withColumn("document", functions.concat(rows.col("document"), functions.lit("!")));
        forged.coalesce(1).write().parquet(folder.resolve("forged").toString());
        for (Path file : files(run.toString())) {
            if (file.getParent().equals(run)) {
                Files.delete(file);
            }
        }
        for (Path file : files(folder.resolve("forged").toString())) {
            Files.copy(file, run.resolve(file.getFileName()));
        }
        write(0, line("more", "to read"), 1000);
        assertReuse(FILES, 0, rerun());
        assertEquals(0, store.snapshotTable().where("document like '%!'").count());
    }

    @Test
    void aRunThatEndedBeforeItPublishedLeavesTheEarlierRecord() {
        label();
        write(1, added(), 1000);
        LabelStore store = store("cache");
        long labels = store.rows().count();
        try (LabelJob job = new LabelJob(Distillery.spark(), distillery.settings(all()))) {
            job.open();
            job.read();
            job.score();
            job.draft();
        }
        assertTrue(store.rows().count() > labels);
        LabelSummary after = rerun();
        assertReuse(1, FILES - 1, after);
        assertEquals(0, after.scoredTokens());
    }

    @Test
    void aFileThatChangesWhileTheRunLastsIsReadByTheNext() throws Exception {
        try (LabelJob job = new LabelJob(Distillery.spark(), distillery.settings(all()))) {
            job.open();
            job.read();
            Files.writeString(file(2), line("late", Distillery.text(9, 20)), StandardOpenOption.APPEND);
            job.score();
            job.draft();
            job.publish(null);
        }
        touch(file(2), OLD + 1000);
        assertReuse(1, FILES - 1, rerun());
    }

    @Test
    void parquetFilesAreRecognised() {
        StructType schema = new StructType().add("id", DataTypes.StringType).add("text", DataTypes.StringType);
        Path parquet = folder.resolve("parquet");
        for (int part = 0; part < 2; part++) {
            List<Row> rows = new ArrayList<>();
            for (int i = 0; i < DOCUMENTS; i++) {
                rows.add(RowFactory.create(part + "-" + i, i == 5 ? null : Distillery.text(100L * part + i, 20)));
            }
            Distillery.spark().createDataFrame(rows, schema).coalesce(1).write().mode("append").parquet(parquet.toString());
        }
        files(parquet.toString()).forEach(file -> touch(file, OLD));
        String path = "corpus.path=" + parquet;
        assertReuse(2, 0, label(path));
        assertReuse(0, 2, rerun(path));
        Distillery.spark().createDataFrame(List.of(RowFactory.create("new", Distillery.text(3, 20))), schema).coalesce(1).write().mode("append")
                .parquet(parquet.toString());
        assertReuse(1, 2, rerun(path));
    }

    @Test
    void conversationsKeepTheirResponses() {
        Path chats = folder.resolve("chats");
        for (int file = 0; file < 2; file++) {
            StringBuilder lines = new StringBuilder();
            for (int i = 0; i < DOCUMENTS; i++) {
                lines.append(line(file + "-" + i, Distillery.text(10L * file + i, 20) + "Answer: " + Distillery.text(i, 10)));
            }
            write(chats.resolve(file + ".jsonl"), lines.toString(), 0);
        }
        String[] settings = {"corpus.path=" + chats, "train.learn-from=responses", "train.response-start=Answer:"};
        label(settings);
        assertReuse(0, 2, rerun(settings));
        write(chats.resolve("2.jsonl"), line("mute", "says nothing"), 0);
        UserException error = assertThrows(UserException.class, () -> label(settings));
        assertNotEquals("", error.problem());
    }
}
