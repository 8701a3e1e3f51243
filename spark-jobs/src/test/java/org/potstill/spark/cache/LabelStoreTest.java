// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.upkeep.CacheChange;
import org.potstill.spark.cache.upkeep.CacheCompaction;
import org.potstill.spark.cache.upkeep.CachePruning;
import org.potstill.spark.cache.upkeep.LabelRewriting;
import org.potstill.spark.storage.HadoopFolder;

class LabelStoreTest {
    private static final Duration AT_ONCE = Duration.ofMinutes(-1);
    private static final int ROWS = 40;

    @TempDir
    private Path folder;
    private LabelStore store;

    @BeforeEach
    void fill() {
        store = open(Rows.LABELS);
        describe(store);
        write(0, 15);
        write(15, 30);
        write(30, ROWS);
        publish(ROWS);
    }

    private LabelStore open(Labels labels) {
        return new LabelStore(Distillery.spark(), folder.toString(), labels);
    }

    private static void describe(LabelStore store) {
        store.describe(HadoopFolder.JSON.createObjectNode().put("fingerprint", Rows.LABELS.teacher()).put("vocab_size", 320),
                new TokenizerDefinition("{}", 1, 2, true));
    }

    private void write(int from, int to) {
        store.shardWriter().write(Rows.of(from, to), StoreContract.configuration());
    }

    private void publish(int rows) {
        store.publishSnapshot(snapshot(rows), HadoopFolder.JSON.createObjectNode());
    }

    private static JavaRDD<SnapshotEntry> snapshot(int rows) {
        return new JavaSparkContext(Distillery.spark().sparkContext()).parallelize(
                Rows.of(0, rows).stream().map(row -> new SnapshotEntry(row.document(), 0, row.key(), null)).toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {"v[1]", "a?*", "{one", "back\\slash", "c:d %20 #+&"})
    void aCacheIsWhereItsPathSaysWhateverItsName(String name) throws IOException {
        // Names that a glob would match or stumble over.
        for (String sibling : List.of("v1", "ab", "aab", "one", "backslash", "co:lon")) {
            Path other = folder.resolve("k").resolve(sibling).resolve(Rows.LABELS.folder()).resolve("labels");
            Files.createDirectories(other);
            Files.writeString(other.resolve("part-0.parquet"), "not Parquet");
        }
        String cache = folder.resolve("k").resolve(name).toString();
        store = new LabelStore(Distillery.spark(), cache, Rows.LABELS);
        describe(store);
        write(0, 15);
        write(15, ROWS);
        publish(ROWS);
        assertEquals(Rows.content(Rows.of(0, ROWS)), content());
        assertEquals(ROWS, store.snapshot().count());

        assertEquals(1, compact(store, 1 << 20).filesAfter());
        LabelStore found = LabelStores.find(Distillery.spark(), cache, Rows.LABELS.spec(), null);
        assertEquals(Rows.content(Rows.of(0, ROWS)), Rows.content(found.sequences().collect()));
        found.quarantine(new JavaSparkContext(Distillery.spark().sparkContext()).parallelize(List.of(new Quarantined("d", 0, "k", "why"))));
        assertTrue(Files.isDirectory(folder.resolve("k").resolve(name)));
    }

    @Test
    void theSnapshotTellsResponsesAndThoseOfEarlierVersionsTellNone() throws IOException {
        assertTrue(store.snapshot().collect().stream().allMatch(entry -> entry.responses() == null));
        String before = store.currentSnapshot().path("id").asText();
        List<SnapshotEntry> told = Rows.of(0, 2).stream()
                .map(row -> new SnapshotEntry(row.document(), 0, row.key(), new ResponseRuns(List.of(3, 2), 3))).toList();
        List<SnapshotEntry> toldOtherwise = told.stream()
                .map(entry -> new SnapshotEntry(entry.document(), 0, entry.key(), new ResponseRuns(List.of(4, 1), 4))).toList();
        for (List<SnapshotEntry> entries : List.of(told, toldOtherwise)) {
            store.publishSnapshot(new JavaSparkContext(Distillery.spark().sparkContext()).parallelize(entries), HadoopFolder.JSON.createObjectNode());
            assertEquals(Set.copyOf(entries), Set.copyOf(store.snapshot().collect()));
        }
        // An earlier version's columns.
        Path file = Path.of(store.folder().path("snapshots/" + store.currentSnapshot().path("run").asText()).toUri());
        List<Row> rows = store.snapshotTable().select("document", "sequence", "key").collectAsList();
        Distillery.spark().createDataFrame(rows, store.snapshotTable().select("document", "sequence", "key").schema()).write()
                .mode(SaveMode.Overwrite).parquet(file.toString());
        assertTrue(open(Rows.LABELS).snapshot().collect().stream().allMatch(entry -> entry.responses() == null));
        publish(ROWS);
        assertEquals(before, store.currentSnapshot().path("id").asText());
    }

    private Map<String, String> content() {
        return Rows.content(store.sequences().collect());
    }

    private static CacheChange compact(LabelStore store, long targetBytes) {
        return new CacheCompaction(Distillery.spark(), targetBytes).compact(store);
    }

    private CacheChange prune(Duration retention) {
        return new CachePruning(Distillery.spark(), retention, false).prune(store);
    }

    @Test
    void compactedFilesAreOfTheWantedSizeAndSortedAndLeftAloneTheNextTime() {
        for (int i = ROWS; i < 100; i += 10) {
            write(i, i + 10);
        }
        long bytes = LabelStore.bytes(store.labelFiles());
        CacheChange change = compact(store, bytes / 2);
        assertEquals(List.of(9, 2), List.of(change.filesBefore(), change.filesAfter()));
        List<String> keys = new ArrayList<>();
        for (String file : store.files()) {
            List<String> held = Distillery.spark().read().parquet(file).collectAsList().stream().map(row -> row.<String>getAs("key")).toList();
            assertEquals(held.stream().sorted().toList(), held);
            assertTrue(held.size() > 30, held.toString());
            keys.addAll(held);
        }
        assertEquals(100, keys.stream().distinct().count());
        assertEquals(100, keys.size());
        List<String> names = store.files();
        compact(store, bytes / 2);
        assertEquals(names, store.files());
        assertEquals(Rows.content(Rows.of(0, 100)), content());
    }

    @Test
    void rowsThatAreTwiceInTheCacheAreThereOnceAfterwards() {
        // Of files that are large enough already.
        write(10, 20);
        CacheChange change = compact(store, 4096);
        assertEquals(List.of(ROWS + 10L, (long) ROWS), List.of(change.rowsBefore(), change.rowsAfter()));
        assertEquals(Rows.content(Rows.of(0, ROWS)), content());
    }

    @Test
    void whoBeganToReadBeforeTheCompactionReadsOn() {
        JavaRDD<LabelledSequence> begun = store.sequences();
        compact(store, CacheCompaction.TARGET_BYTES);
        prune(Duration.ofHours(24));
        assertEquals(Rows.content(Rows.of(0, ROWS)), Rows.content(begun.collect()));
    }

    @Test
    void aLabelRunThatBeganBeforeTheCompactionEndsWellAfterIt() {
        store.rows().select("key").distinct().count();
        ShardWriter writer = store.shardWriter();
        compact(open(Rows.LABELS), CacheCompaction.TARGET_BYTES);
        writer.write(Rows.of(ROWS, ROWS + 5), StoreContract.configuration());
        publish(ROWS + 5);
        assertEquals(ROWS + 5, store.snapshot().count());
        assertEquals(Rows.content(Rows.of(0, ROWS + 5)), content());
    }

    @Test
    void rowsThatWerePrunedAndAreWantedAgainCanBeWrittenAndReadAgain() {
        publish(15);
        assertEquals(15, prune(AT_ONCE).rowsAfter());
        write(15, 30);
        assertEquals(30, content().size());
        // Hidden by a tombstone that is young still, and by the same name if it were not for the tombstone.
        publish(15);
        new LabelRewriting(Distillery.spark(), store).rewrite(store.labelFiles(), store.rows().limit(0), 1, "test");
        assertEquals(Map.of(), content());
        write(15, 30);
        write(0, 15);
        assertEquals(Rows.content(Rows.of(0, 30)), content());
    }

    @Test
    void aSnapshotNeverNamesRowsThatWerePrunedSinceTheRunBegan() {
        publish(15);
        store.rows().select("key").distinct().count();
        new CachePruning(Distillery.spark(), AT_ONCE, false).prune(open(Rows.LABELS));
        UserException error = assertThrows(UserException.class, () -> publish(ROWS));
        assertTrue(error.problem().contains("lacks 25 of 40"), error.getMessage());
        assertEquals(15, store.snapshot().count());
    }

    @Test
    void whatIsYoungerThanTheRetentionStays() {
        publish(15);
        List<String> dead = Stream.of("", "labels/", "passes/", "priors/").map(place -> place + "_incoming-dead").toList();
        dead.forEach(file -> store.folder().writeText(file, "half a file"));
        List<String> files = store.files();
        CacheChange change = prune(Duration.ofHours(24));
        assertEquals(files, store.files());
        assertEquals(0, change.deletedFiles());
        assertEquals(3, store.folder().folder("snapshots").names().size());
        assertTrue(dead.stream().allMatch(store.folder()::has));
        change = prune(AT_ONCE);
        assertFalse(dead.stream().anyMatch(store.folder()::has));
        assertTrue(change.deletedFiles() > 3 && change.deletedBytes() > 11, change.toString());
        assertEquals(2, store.folder().folder("snapshots").names().size());
    }

    @Test
    void aDryRunChangesNothing() {
        publish(15);
        List<Long> before = store.folder().tree().stream().map(file -> file.getModificationTime()).sorted().toList();
        CacheChange change = new CachePruning(Distillery.spark(), AT_ONCE, true).prune(store);
        assertEquals(before, store.folder().tree().stream().map(file -> file.getModificationTime()).sorted().toList());
        assertEquals(List.of(40L, 15L, 3, 1), List.of(change.rowsBefore(), change.rowsAfter(), change.filesBefore(), change.filesAfter()));
    }

    @Test
    void theSameSnapshotAgainIsNotWrittenAgain() {
        List<String> names = store.folder().folder("snapshots").names();
        publish(ROWS);
        assertEquals(names, store.folder().folder("snapshots").names());
    }

    @Test
    void labelsOfAnotherTokenizerAreNotMixedIn() {
        String provenance = store.folder().readText("provenance.json");
        Labels other = new Labels(Rows.LABELS.teacher(), Sha256.of("another"), 320, Rows.LABELS.spec());
        UserException error = assertThrows(UserException.class, () -> describe(open(other)));
        assertTrue(error.problem().contains("another tokenizer"), error.getMessage());
        assertEquals(provenance, store.folder().readText("provenance.json"));
    }

    @Test
    void pathsThatLeaveTheStoreAreRefused() {
        store.folder().writeText("replaced/bad.json", "{\"paths\": [\"labels/../../../elsewhere\"]}");
        assertTrue(assertThrows(UserException.class, store::files).cause().contains("no path in this store"));
        assertTrue(assertThrows(UserException.class, () -> prune(AT_ONCE)).cause().contains("no path in this store"));
        store.folder().writeText("snapshots/current.json", "{\"id\": \"1\", \"run\": \"../../elsewhere\"}");
        assertTrue(assertThrows(UserException.class, store::snapshot).cause().contains("names no run"));
    }
}
