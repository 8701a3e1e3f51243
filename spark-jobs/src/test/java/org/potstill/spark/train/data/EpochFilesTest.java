// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.errors.UserException;
import org.potstill.spark.Cluster;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelledSequence;
import scala.Tuple2;

class EpochFilesTest {
    /** Bytes per sequence at which a file holds one batch. */
    private static final long LARGE = 1 << 30;

    @TempDir
    private Path folder;

    private final JavaSparkContext sc = new JavaSparkContext(Distillery.spark().sparkContext());

    private static LearntSequence sequence(long index) {
        Random random = new Random(index);
        boolean[] counted = new boolean[2 + random.nextInt(30)];
        for (int i = 0; i < counted.length; i++) {
            counted[i] = random.nextBoolean();
        }
        byte[] targets = new byte[random.nextInt(200)];
        random.nextBytes(targets);
        return new LearntSequence(new LabelledSequence("", "key-" + index, random.ints(counted.length + 1L, 0, 50_000).toArray(), targets, 0, 0),
                index % 3 == 0 ? null : counted);
    }

    /** The epoch's sequences in any order, some of them twice, as Spark's join gives them. */
    private EpochFiles write(TrainingPlan plan, long bytesPerSequence) {
        List<Tuple2<Long, LearntSequence>> rows = new ArrayList<>();
        for (long i = 0; i < plan.sequences(); i++) {
            rows.add(new Tuple2<>(i, sequence(i)));
            if (i % 4 == 0) {
                rows.add(new Tuple2<>(i, sequence(i)));
            }
        }
        Collections.shuffle(rows, new Random(1));
        EpochFiles files = EpochFiles.of(folder.resolve("epoch").toString(), plan, plan.sequences() * bytesPerSequence, Cluster.hadoop(sc));
        assertFalse(files.areWritten());
        files.write(sc.parallelizePairs(rows, 3), "order", 1);
        assertTrue(files.areWritten());
        return files;
    }

    private static void requireEqual(LearntSequence expected, LearntSequence found) {
        assertEquals(expected.row().key(), found.row().key());
        assertArrayEquals(expected.row().tokens(), found.row().tokens());
        assertArrayEquals(expected.row().targets(), found.row().targets());
        assertArrayEquals(expected.counted(), found.counted());
    }

    /** Batch by batch what dividing the ordered list gives, whether a file holds all or a part of what a worker reads. */
    @ParameterizedTest
    @CsvSource({"1,1,1,1,100", "19,4,2,3,100", "103,8,3,5,100", "103,8,3,5,1073741824", "64,4,4,4,40000000", "5,10,7,2,1073741824"})
    void workersReadTheirBatchesInOrder(long sequences, int batchSize, int workers, int localSteps, long bytesPerSequence) throws IOException {
        TrainingPlan plan = new TrainingPlan(sequences, batchSize, workers, localSteps, 1);
        EpochFiles files = write(plan, bytesPerSequence);
        try (Stream<Path> parts = Files.list(folder.resolve("epoch"))) {
            assertEquals(bytesPerSequence > 100, parts.filter(part -> part.toString().endsWith(".parquet")).count() > 1);
        }
        for (int round = 0; round < plan.roundsPerEpoch(); round++) {
            for (int worker = 0; worker < workers; worker++) {
                try (RoundBatches batches = files.open(round, worker)) {
                    int step = 0;
                    for (; batches.hasNext(); step++) {
                        long first = ((long) (round * localSteps + step) * workers + worker) * batchSize;
                        List<LearntSequence> batch = batches.next();
                        assertEquals(Math.min(batchSize, sequences - first), batch.size());
                        for (int i = 0; i < batch.size(); i++) {
                            requireEqual(sequence(first + i), batch.get(i));
                        }
                    }
                    assertEquals(batches.steps(), step);
                }
            }
        }
    }

    @Test
    void aDamagedFileEndsTrainingWithItsNameAndTheRemedy() throws IOException {
        EpochFiles files = write(new TrainingPlan(40, 4, 1, 10, 1), 100);
        Path part = folder.resolve("epoch/part-000000.parquet");
        byte[] bytes = Files.readAllBytes(part);
        bytes[bytes.length / 3] ^= 4;
        Files.write(part, bytes);
        requireRefused(files, part);
        Files.write(part, new byte[100]);
        requireRefused(files, part);
        Files.delete(part);
        requireRefused(files, part);
    }

    private void requireRefused(EpochFiles files, Path part) {
        try (RoundBatches batches = files.open(0, 0)) {
            UserException error = assertThrows(UserException.class, () -> batches.forEachRemaining(batch -> { }));
            assertTrue(error.problem().contains(part.toString()) && error.remedy().contains("delete " + folder.resolve("epoch")), error.getMessage());
        }
    }

    /** A killed run's files are complete or not there: the next one writes the rest, to the same bytes. */
    @Test
    void whatAKilledRunWroteStays() throws IOException {
        TrainingPlan plan = new TrainingPlan(40, 4, 1, 10, 1);
        write(plan, LARGE);
        Path kept = folder.resolve("epoch/part-000003.parquet");
        Path lost = folder.resolve("epoch/part-000004.parquet");
        byte[] bytes = Files.readAllBytes(lost);
        Object written = Files.readAttributes(kept, "*").get("fileKey");
        Files.delete(lost);
        Files.delete(folder.resolve("epoch/done.json"));
        write(plan, LARGE);
        assertArrayEquals(bytes, Files.readAllBytes(lost));
        assertEquals(written, Files.readAttributes(kept, "*").get("fileKey"));
    }
}
