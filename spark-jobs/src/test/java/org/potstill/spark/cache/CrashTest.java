// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.upkeep.CacheCompaction;
import org.potstill.spark.cache.upkeep.CachePruning;
import org.potstill.spark.storage.HadoopFolder;

/** Work on the cache that ends between any two of its steps leaves a cache that reads well, and that the same work then completes. */
class CrashTest {
    private static final int ROWS = 20;
    private static final Map<String, String> ALL = Rows.content(Rows.of(0, ROWS));

    @TempDir
    private Path folder;

    @BeforeEach
    void register() {
        CrashingFileSystem.register(StoreContract.configuration());
    }

    @AfterEach
    void recover() {
        CrashingFileSystem.recover();
    }

    @ParameterizedTest
    @ValueSource(strings = {"crash", "objects"})
    void writingLabels(String scheme) {
        int steps = crashEverywhere(scheme, store -> { }, store -> {
            describe(store);
            writeMissing(store);
        }, store -> assertTrue(ALL.entrySet().containsAll(content(store).entrySet())), store -> assertEquals(ALL, content(store)));
        assertTrue(steps > 8, steps + " steps");
    }

    @Test
    void publishing() {
        int steps = crashEverywhere("crash", store -> {
            prepare(store);
            publish(store, 12);
            // A quarantine is published in the same way.
        }, store -> publish(store, ROWS), store -> assertTrue(Set.of(12, ROWS).contains(store.snapshot().collect().size())),
                store -> assertEquals(keys(ROWS), Set.copyOf(store.snapshot().map(SnapshotEntry::key).collect())));
        assertTrue(steps > 9, steps + " steps");
    }

    @Test
    void compacting() {
        int steps = crashEverywhere("crash", CrashTest::prepare,
                store -> new CacheCompaction(Distillery.spark(), CacheCompaction.TARGET_BYTES).compact(store),
                store -> assertEquals(ALL, content(store)), store -> {
                    assertEquals(ALL, content(store));
                    assertEquals(1, store.files().size());
                    assertEquals(ROWS, store.rows().count());
                });
        assertTrue(steps > 3, steps + " steps");
    }

    @Test
    void pruning() {
        int steps = crashEverywhere("crash", store -> {
            prepare(store);
            publish(store, ROWS);
            publish(store, 12);
        }, store -> new CachePruning(Distillery.spark(), Duration.ofMinutes(-1), false).prune(store),
                store -> assertTrue(content(store).keySet().containsAll(keys(12))), store -> {
                    assertEquals(Rows.content(Rows.of(0, 12)), content(store));
                    assertEquals(12, store.rows().count());
                    HadoopFolder root = store.folder();
                    assertEquals(List.of(), root.folder("replaced").names());
                    assertEquals(store.files().size(), root.folder("labels").names().size());
                    assertEquals(2, root.folder("snapshots").names().size());
                });
        assertTrue(steps > 8, steps + " steps");
    }

    /** @return how many steps the work has */
    private int crashEverywhere(String scheme, Consumer<LabelStore> before, Consumer<LabelStore> work, Consumer<LabelStore> crashed,
            Consumer<LabelStore> completed) {
        Path prepared = folder.resolve("prepared");
        before.accept(new LabelStore(Distillery.spark(), prepared.toString(), Rows.LABELS));
        for (int steps = 0;; steps++) {
            Path copy = folder.resolve("copy-" + steps);
            copy(prepared, copy);
            String cache = scheme + "://" + copy;
            CrashingFileSystem.crashAfter(steps);
            try {
                work.accept(new LabelStore(Distillery.spark(), cache, Rows.LABELS));
            } catch (Exception e) {
                // Spark's own are checked, though nothing says so.
                assertTrue(CrashingFileSystem.crashed(), () -> "did not crash: " + e);
            }
            boolean inTime = !CrashingFileSystem.crashed();
            CrashingFileSystem.recover();
            crashed.accept(new LabelStore(Distillery.spark(), cache, Rows.LABELS));
            work.accept(new LabelStore(Distillery.spark(), cache, Rows.LABELS));
            completed.accept(new LabelStore(Distillery.spark(), cache, Rows.LABELS));
            if (inTime) {
                return steps;
            }
        }
    }

    private static void copy(Path from, Path to) {
        try (Stream<Path> tree = Files.walk(from)) {
            for (Path file : tree.toList()) {
                Files.copy(file, to.resolve(from.relativize(file).toString()));
            }
        } catch (NoSuchFileException e) {
            // Nothing was prepared.
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void prepare(LabelStore store) {
        describe(store);
        writeMissing(store);
    }

    private static void describe(LabelStore store) {
        store.describe(HadoopFolder.JSON.createObjectNode().put("fingerprint", Rows.LABELS.teacher()).put("vocab_size", Rows.LABELS.vocabSize()),
                new TokenizerDefinition("{}", 1, 2, true));
        assertEquals("{}", store.tokenizer().json());
    }

    /** As a label run does: in files of eight rows. */
    private static void writeMissing(LabelStore store) {
        Set<String> held = store.isEmpty() ? Set.of() : content(store).keySet();
        List<LabelledSequence> missing = Rows.of(0, ROWS).stream().filter(row -> !held.contains(row.key())).toList();
        ShardWriter writer = store.shardWriter();
        for (int i = 0; i < missing.size(); i += 8) {
            writer.write(missing.subList(i, Math.min(missing.size(), i + 8)), StoreContract.configuration());
        }
    }

    private static void publish(LabelStore store, int rows) {
        store.publishSnapshot(rdd(Rows.of(0, rows).stream().map(row -> new SnapshotEntry(row.document(), 0, row.key(), null)).toList()),
                HadoopFolder.JSON.createObjectNode());
    }

    private static <T> JavaRDD<T> rdd(List<T> all) {
        return new JavaSparkContext(Distillery.spark().sparkContext()).parallelize(all, 1);
    }

    /** One row per key. The same key twice is the same row. */
    private static Map<String, String> content(LabelStore store) {
        Map<String, String> content = new HashMap<>();
        for (Row row : store.rows().collectAsList()) {
            Rows.content(List.of(LabelStore.sequence(row))).forEach((key, bytes) -> {
                String other = content.put(key, bytes);
                assertTrue(other == null || other.equals(bytes), key);
            });
        }
        return content;
    }

    private static Set<String> keys(int rows) {
        return Rows.of(0, rows).stream().map(LabelledSequence::key).collect(Collectors.toCollection(HashSet::new));
    }
}
