// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.upkeep.CacheChange;
import org.potstill.spark.cache.upkeep.CacheCompaction;
import org.potstill.spark.cache.upkeep.CachePruning;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.TrainJob;

/** What the cache promises on every file system: each subclass tells it by another. */
abstract class StoreContract {
    /** As if a minute had gone by since all that was written. */
    private static final Duration AT_ONCE = Duration.ofMinutes(-1);

    @TempDir
    private Path folder;
    private Distillery distillery;
    private String root;

    /** A folder on the file system. */
    abstract String root();

    /** Hadoop settings that the file system needs. */
    abstract Map<String, String> hadoop();

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
        root = root() + "/" + UUID.randomUUID();
        hadoop().forEach(configuration()::set);
    }

    static Configuration configuration() {
        return Distillery.spark().sparkContext().hadoopConfiguration();
    }

    private LabelSummary label() {
        return new LabelJob(Distillery.spark(), distillery.settings("cache.path=" + root + "/cache", "corpus.holdout=0")).run();
    }

    private LabelStore store() {
        return LabelStores.find(Distillery.spark(), root + "/cache", TargetSpec.topK(8), null);
    }

    private Map<String, String> content() {
        return Rows.content(store().sequences().collect());
    }

    @Test
    void labelsAreTrainedOnCompactedExtendedAndPrunedWithoutLosingARow() throws Exception {
        LabelSummary first = label();
        Map<String, String> labelled = content();
        assertTrue(first.files() > 3);
        assertEquals(first.files(), store().files().size());

        CacheChange compacted = new CacheCompaction(Distillery.spark(), CacheCompaction.TARGET_BYTES).compact(store());
        assertEquals(1, compacted.filesAfter());
        assertEquals(List.of(first.files(), (long) labelled.size(), (long) labelled.size()),
                List.of(compacted.filesBefore(), compacted.rowsBefore(), compacted.rowsAfter()));
        assertTrue(compacted.bytesAfter() < compacted.bytesBefore());
        assertEquals(1, store().files().size());
        assertEquals(labelled, content());
        assertEquals(0, label().scoredTokens());
        assertEquals(first.corpus().positions(), new TrainJob(Distillery.spark(), distillery.settings("corpus.holdout=0",
                "cache.path=" + root + "/cache", "student.path=" + root + "/student", "train.batch-size=64")).run().positions());

        Files.delete(distillery.corpus().resolve("doc-3.txt"));
        Distillery.write(distillery.corpus().resolve("new.txt"), Distillery.text(99, 50));
        LabelSummary changed = label();
        assertTrue(changed.scoredTokens() > 0 && changed.scoredTokens() < first.scoredTokens() / 5);
        Map<String, String> wanted = new TreeMap<>(content());
        wanted.keySet().retainAll(store().snapshot().map(SnapshotEntry::key).collect());
        CacheChange counted = new CachePruning(Distillery.spark(), AT_ONCE, true).prune(store());
        CacheChange pruned = new CachePruning(Distillery.spark(), AT_ONCE, false).prune(store());
        assertEquals(wanted, new TreeMap<>(content()));
        assertTrue(pruned.rowsAfter() == wanted.size() && pruned.rowsAfter() < pruned.rowsBefore(), pruned.toString());
        assertEquals(List.of(counted.rowsBefore(), counted.rowsAfter(), counted.filesBefore(), counted.filesAfter()),
                List.of(pruned.rowsBefore(), pruned.rowsAfter(), pruned.filesBefore(), pruned.filesAfter()));
        assertEquals(1.0, (double) counted.bytesAfter() / pruned.bytesAfter(), 0.1);
        // Nothing is left but what is in force.
        HadoopFolder folder = store().folder();
        assertEquals(store().files().size(), folder.folder("labels").names().size());
        assertEquals(List.of(), folder.folder("replaced").names());
        assertEquals(2, folder.folder("snapshots").names().size());
        assertEquals(2, folder.folder("quarantine").names().size());
        assertEquals(0, label().scoredTokens());
    }

    @Test
    void aFileThatIsNotWrittenToItsEndNeverAppears() throws Exception {
        String labels = root + "/labels";
        HadoopFolder files = new HadoopFolder("cache", labels, configuration());
        ShardWriter writer = new ShardWriter(labels, Rows.LABELS, "");
        assertThrows(IllegalStateException.class, () -> writer.write("half a file", HalfAFile.rows(() -> {
            throw new IllegalStateException("killed");
        }), configuration()));
        assertEquals(List.of(), files.names());

        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx512m",
                "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), HalfAFile.class.getName(), labels));
        hadoop().forEach((key, value) -> command.add(key + "=" + value));
        Path log = folder.resolve("half.log");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        assertEquals(9, process.waitFor(), () -> log.toString());
        assertTrue(files.names().stream().allMatch(HadoopFolder::isIncoming), files.names().toString());

        long length = writer.write(Rows.of(0, 20), configuration());
        assertEquals(length, writer.write(Rows.of(0, 20), configuration()));
        assertEquals(1, files.names().stream().filter(name -> !HadoopFolder.isIncoming(name)).count());
        assertEquals(20, Distillery.spark().read().parquet(labels).count());
    }

    @Test
    void twoLabelRunsAtOnceBothEndWellWithTheContentOfOne() throws Exception {
        LabelSummary one = label();
        Map<String, String> alone = content();
        root = root() + "/" + UUID.randomUUID();
        CompletableFuture<LabelSummary> left = CompletableFuture.supplyAsync(this::label);
        CompletableFuture<LabelSummary> right = CompletableFuture.supplyAsync(this::label);
        assertEquals(one.corpus(), left.get().corpus());
        assertEquals(one.corpus(), right.get().corpus());
        assertEquals(alone, content());
        assertEquals(one.corpus().sequences(), store().snapshot().count());
        assertEquals(0, Distillery.spark().read().json(store().quarantinePath()).count());
    }

    @Test
    void trainingThatWasKilledWhileACheckpointWasWrittenGoesOnToTheSameBytes() {
        label();
        train();
        HadoopFolder student = new HadoopFolder("student", root + "/student", configuration());
        byte[] undisturbed = student.read("model.safetensors");
        HadoopFolder checkpoints = student.folder("checkpoints");
        List<String> all = checkpoints.names();
        assertTrue(all.size() > 2, all.toString());
        // As if killed then: the later ones and the result not yet begun, the one between not yet committed.
        List.of("provenance.json", "model.safetensors", "config.json").forEach(student::delete);
        all.subList(2, all.size()).forEach(checkpoints::delete);
        checkpoints.delete(all.get(1) + "/training.json");
        checkpoints.folder(all.get(1)).writeText("model.safetensors", "half of it");
        train();
        assertEquals(all, checkpoints.names());
        assertTrue(all.stream().allMatch(name -> checkpoints.folder(name).has("training.json")));
        assertArrayEquals(undisturbed, student.read("model.safetensors"));
    }

    private void train() {
        new TrainJob(Distillery.spark(), distillery.settings("corpus.holdout=0", "cache.path=" + root + "/cache", "student.path=" + root
                + "/student", "train.batch-size=16", "train.checkpoint-rounds=1", "train.keep-checkpoints=100", "train.outer-momentum=0.5")).run();
    }

    @Test
    void aFileIsReplacedByTheNextOfItsNameAndNotByALaterOneOfTheSameContent() {
        HadoopFolder files = new HadoopFolder("cache", root + "/small", configuration());
        files.writeText("current.json", "one");
        files.writeText("current.json", "two");
        assertEquals("two", files.readText("current.json"));
        files.create("current.json", out -> out.writeBytes("three"));
        assertEquals("two", files.readText("current.json"));
        assertEquals(List.of("current.json"), files.names());
        assertNotEquals(0, files.list().get(0).getLen());
    }
}
