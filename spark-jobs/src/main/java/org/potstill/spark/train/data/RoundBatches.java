// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.potstill.spark.DaemonThreads;
import org.potstill.spark.errors.JobErrors;

/** A worker's batches of a round, in the order of its steps. Reads one batch ahead, from the moment it is opened. */
public final class RoundBatches implements Iterator<List<LearntSequence>>, AutoCloseable {
    private static final ExecutorService READING = Executors.newCachedThreadPool(DaemonThreads.named("potstill-batches"));

    private final EpochFiles files;
    private final int round;
    private final int worker;
    private final int steps;
    private final long end;
    private ParquetReader<Group> reader;
    /** The file of the reader. */
    private int part;
    private long slot;
    private int step;
    private final List<Integer> lengths = new ArrayList<>();
    private CompletableFuture<List<LearntSequence>> next;

    RoundBatches(EpochFiles files, int round, int worker) {
        this.files = files;
        this.round = round;
        this.worker = worker;
        this.steps = files.plan().steps(round, worker);
        this.slot = files.plan().firstSlot(round, worker);
        this.end = slot + (long) files.plan().localSteps() * files.plan().batchSize();
        this.part = files.part(slot);
        readAhead();
    }

    /** Returns the number of batches in all. */
    public int steps() {
        return steps;
    }

    /** Returns the number of positions of each sequence returned so far. */
    public List<Integer> lengths() {
        return List.copyOf(lengths);
    }

    private void readAhead() {
        next = step < steps ? CompletableFuture.supplyAsync(this::read, READING) : null;
    }

    @Override
    public boolean hasNext() {
        return next != null;
    }

    /**
     * Returns the next batch, and begins to read the one after it.
     *
     * @throws org.potstill.errors.UserException if it cannot be read
     */
    @Override
    public List<LearntSequence> next() {
        if (next == null) {
            throw new NoSuchElementException();
        }
        List<LearntSequence> batch;
        try {
            batch = next.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
        batch.forEach(sequence -> lengths.add(sequence.row().positions()));
        step++;
        readAhead();
        return batch;
    }

    private List<LearntSequence> read() {
        List<LearntSequence> batch = new ArrayList<>();
        try {
            for (int left = files.plan().batch(round, worker, step); left > 0; left--) {
                Group row = row();
                if (row == null || EpochRows.slot(row) != slot) {
                    throw new IOException("sequence " + slot + " of the epoch is missing");
                }
                batch.add(EpochRows.sequence(row));
                slot++;
            }
        } catch (IOException | RuntimeException e) {
            throw JobErrors.epochUnreadable(files.path(), files.name(part), e);
        }
        return batch;
    }

    private Group row() throws IOException {
        if (reader != null && files.part(slot) != part) {
            reader.close();
            reader = null;
        }
        if (reader == null) {
            part = files.part(slot);
            reader = files.read(part, slot, end);
        }
        return reader.read();
    }

    @Override
    public void close() {
        if (next != null) {
            next.handle((batch, e) -> batch).join();
        }
        try {
            if (reader != null) {
                reader.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
