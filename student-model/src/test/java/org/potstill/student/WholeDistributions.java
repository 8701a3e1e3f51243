// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.potstill.softlabels.SoftTargets;

/**
 * A teacher's whole distributions, read from a file: for each position one unsigned 16-bit little-endian number per token, how
 * far its logit lies below the largest, in units of 1/1024 nat. That is within 0.0005 nat of each logit, and decoding one is
 * looking it up in a table.
 */
final class WholeDistributions implements AutoCloseable {
    private static final double NATS = 1.0 / 1024;
    private static final double[] EXP = IntStream.range(0, 1 << 16).mapToDouble(below -> Math.exp(-below * NATS)).toArray();

    private final FileChannel file;
    private final int vocabSize;
    /** Offsets and ids of positions that name the whole vocabulary, which do not depend on the text. */
    private SoftTargets everyToken = new SoftTargets(new int[1], new int[0], new float[0]);

    WholeDistributions(Path file, int vocabSize) throws IOException {
        this.file = FileChannel.open(file);
        this.vocabSize = vocabSize;
    }

    /**
     * Distributions of some positions in a row.
     *
     * @param below steps below the largest logit, unsigned, {@code [positions, vocabSize]}
     */
    record Rows(short[] below, int vocabSize) {
        /** Logits whose largest is 0, {@code [positions, vocabSize]}. */
        float[] logits() {
            float[] logits = new float[below.length];
            for (int i = 0; i < logits.length; i++) {
                logits[i] = (float) (-Short.toUnsignedInt(below[i]) * NATS);
            }
            return logits;
        }

        int best(int row) {
            int best = row * vocabSize;
            for (int v = best + 1; v < (row + 1) * vocabSize; v++) {
                if (Short.toUnsignedInt(below[v]) < Short.toUnsignedInt(below[best])) {
                    best = v;
                }
            }
            return best - row * vocabSize;
        }

        /** Σ exp of the logits less the largest. */
        double sum(int row) {
            double sum = 0;
            for (int v = row * vocabSize; v < (row + 1) * vocabSize; v++) {
                sum += EXP[Short.toUnsignedInt(below[v])];
            }
            return sum;
        }

        /** KL(teacher ‖ model), in nats. {@code lse} is the log-sum-exp of the model's logits, which begin at {@code row·vocabSize}. */
        double kl(int row, float[] logits, double lse) {
            double sum = sum(row);
            double cross = 0;
            for (int v = row * vocabSize; v < (row + 1) * vocabSize; v++) {
                int steps = Short.toUnsignedInt(below[v]);
                cross += EXP[steps] * (-steps * NATS - logits[v]);
            }
            return cross / sum - Math.log(sum) + lse;
        }
    }

    Rows read(long firstPosition, int positions) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(positions * vocabSize * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        long at = firstPosition * vocabSize * Short.BYTES;
        while (bytes.hasRemaining()) {
            int count = file.read(bytes, at + bytes.position());
            if (count < 0) {
                throw new IOException("the file of distributions ends early");
            }
        }
        short[] below = new short[positions * vocabSize];
        bytes.flip().asShortBuffer().get(below);
        return new Rows(below, vocabSize);
    }

    /** The same as targets that name every token of the vocabulary, 8·V bytes per position. */
    SoftTargets targets(long firstPosition, int positions) throws IOException {
        Rows rows = read(firstPosition, positions);
        float[] probabilities = new float[rows.below().length];
        IntStream.range(0, positions).parallel().forEach(row -> {
            double sum = rows.sum(row);
            for (int v = row * vocabSize; v < (row + 1) * vocabSize; v++) {
                probabilities[v] = (float) (EXP[Short.toUnsignedInt(rows.below()[v])] / sum);
            }
        });
        if (everyToken.positions() != positions) {
            int[] offsets = new int[positions + 1];
            Arrays.setAll(offsets, t -> t * vocabSize);
            int[] ids = new int[probabilities.length];
            Arrays.setAll(ids, i -> i % vocabSize);
            everyToken = new SoftTargets(offsets, ids, probabilities);
        }
        return new SoftTargets(everyToken.offsets(), everyToken.ids(), probabilities);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
