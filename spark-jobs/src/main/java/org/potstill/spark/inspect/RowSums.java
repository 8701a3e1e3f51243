// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.LongAccumulator;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.spark.cache.LabelFile;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;

/** Sums over the undamaged rows of a cache. */
final class RowSums implements Serializable {
    /** Width of a bar of {@link #entropies}, in nats. */
    static final double BIN = 0.1;
    /** Number of bars; the last one covers the largest possible entropy, log 2^24. */
    private static final int BINS = 167;

    /** Number of rows by the teacher's mean entropy over their positions. */
    final long[] entropies = new long[BINS];
    long positions;
    double loss;
    double entropy;
    /** Listed token ids, over all positions. */
    long entries;
    long damaged;

    /** Sums the readable rows of one file. */
    static RowSums of(Labels labels, String path, Configuration hadoop, LongAccumulator tokens) {
        RowSums sums = new RowSums();
        // If all positions have the same number of entries, the targets, most of the bytes, need not be read.
        boolean fixed = labels.spec().hasGhost();
        SoftTargetsCodec codec = labels.codec();
        LabelFiles.read(path, hadoop, fixed ? LabelFile.STATISTICS : LabelFile.ALL, row -> {
            tokens.add(row.tokens().length);
            sums.add(row, fixed ? fixedEntries(labels, row) : countedEntries(codec, row));
        });
        return sums;
    }

    private static long fixedEntries(Labels labels, LabelledSequence row) {
        return (long) Math.min(labels.spec().k(), labels.vocabSize()) * row.positions();
    }

    /** Returns the number of entries in a row; −1 if it cannot be decoded. */
    private static long countedEntries(SoftTargetsCodec codec, LabelledSequence row) {
        try {
            return codec.decode(row.tokens(), row.targets()).ids().length;
        } catch (UserException e) {
            return -1;
        }
    }

    private void add(LabelledSequence row, long listed) {
        if (listed < 0 || row.positions() < 1 || !RowCheck.isStatistic(row.teacherLoss()) || !RowCheck.isStatistic(row.teacherEntropy())) {
            damaged++;
            return;
        }
        positions += row.positions();
        loss += (double) row.teacherLoss() * row.positions();
        entropy += (double) row.teacherEntropy() * row.positions();
        entries += listed;
        entropies[(int) Math.min(BINS - 1, row.teacherEntropy() / BIN)]++;
    }

    RowSums plus(RowSums other) {
        positions += other.positions;
        loss += other.loss;
        entropy += other.entropy;
        entries += other.entries;
        damaged += other.damaged;
        for (int i = 0; i < BINS; i++) {
            entropies[i] += other.entropies[i];
        }
        return this;
    }
}
