// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Bytes a position, by part, and positions a second of one core's time, of rows in a text file.
 *
 * <p>Usage: {@code CodecBenchmark rows.txt [counts.txt]}. The first line of rows.txt has k, draws and the vocabulary; then comes,
 * for each row, a line with its token ids, and one line for each position with id and probability in turn. counts.txt has how
 * often each token occurs in the corpus, one a line; without it there is no prior but Zipf's law.
 */
final class CodecBenchmark {
    private static final int WARM_UP = 6;
    private static final int RUNS = 5;

    private record Row(int[] tokens, SoftTargets targets) {
    }

    private CodecBenchmark() {
    }

    public static void main(String[] args) throws IOException {
        List<Row> rows = new ArrayList<>();
        TargetSpec spec;
        int vocabSize;
        try (BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            int[] first = numbers(in.readLine());
            spec = new TargetSpec(first[0], first[1], 0);
            vocabSize = first[2];
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                int[] tokens = numbers(line);
                rows.add(new Row(tokens, positions(in, tokens.length - 1)));
            }
        }
        TokenPrior prior = args.length < 2 ? TokenPrior.none(vocabSize) : TokenPrior.of(counts(Path.of(args[1])));
        SoftTargetsCodec codec = new SoftTargetsCodec(spec, vocabSize, prior);
        int positions = rows.stream().mapToInt(row -> row.targets().positions()).sum();
        int entries = rows.stream().mapToInt(row -> row.targets().ids().length).sum();
        List<byte[]> encoded = rows.stream().map(row -> codec.encode(row.tokens(), row.targets())).toList();
        double all = encoded.stream().mapToInt(bytes -> bytes.length).sum();
        double numbers = rows.stream().mapToLong(row -> numbersAlone(new RowShape(spec, vocabSize), row.targets())).sum();
        double frame = rows.size() * (double) (SoftTargetsCodec.HEADER_BYTES + SymbolStack.STATE_BYTES + SoftTargetsCodec.CHECKSUM_BYTES);
        System.out.printf(Locale.ROOT, "%s, prior %s of %d bytes, %d rows, %d positions, %.2f entries a position%n", spec.name(),
                prior.name(), prior.bytes().length, rows.size(), positions, entries / (double) positions);
        System.out.printf(Locale.ROOT, "bytes a position: %.3f = ids %.3f + counts or levels %.3f + header, state and checksum %.3f%n",
                all / positions, (all - numbers - frame) / positions, numbers / positions, frame / positions);
        time("encode", positions, () -> rows.forEach(row -> codec.encode(row.tokens(), row.targets())));
        time("decode", positions, () -> {
            for (int i = 0; i < rows.size(); i++) {
                codec.decode(rows.get(i).tokens(), encoded.get(i));
            }
        });
    }

    private static void time(String what, int positions, Runnable pass) {
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        double[] rates = new double[RUNS];
        for (int run = -WARM_UP; run < RUNS; run++) {
            long start = clock.getCurrentThreadCpuTime();
            int passes = 0;
            while (passes == 0 || clock.getCurrentThreadCpuTime() - start < 500_000_000L) {
                pass.run();
                passes++;
            }
            if (run >= 0) {
                rates[run] = (double) positions * passes / (clock.getCurrentThreadCpuTime() - start) * 1e9;
            }
        }
        Arrays.sort(rates);
        System.out.printf(Locale.ROOT, "%s: %,.0f positions/s (median of %d; best %,.0f)%n", what, rates[RUNS / 2], RUNS, rates[RUNS - 1]);
    }

    /** Bytes of a row's counts or levels without anything else. */
    private static long numbersAlone(RowShape shape, SoftTargets targets) {
        SymbolTape tape = new SymbolTape();
        LevelModel levelModel = new LevelModel();
        CountModel countModel = shape.mostDrawn() > 0 ? new CountModel(shape.spec().draws(), shape.mostDrawn()) : null;
        for (int t = 0; t < targets.positions(); t++) {
            int from = targets.begin(t) + shape.head();
            double tail = shape.spec().hasGhost() ? targets.tailMass(t) : 0;
            for (int i = from; i < targets.end(t); i++) {
                tail += targets.probabilities()[i];
            }
            if (shape.head() > 0) {
                int[] levels = new int[shape.head()];
                for (int rank = 0; rank < levels.length; rank++) {
                    levels[rank] = LevelModel.level(targets.probabilities()[targets.begin(t) + rank]);
                }
                levelModel.encode(LevelModel.level(tail), levels, levels.length, tape);
            }
            if (from < targets.end(t)) {
                int[] counts = new int[targets.end(t) - from];
                for (int i = 0; i < counts.length; i++) {
                    counts[i] = -Math.round((float) (targets.probabilities()[from + i] * shape.spec().draws() / tail));
                }
                Arrays.sort(counts);
                countModel.encode(Arrays.stream(counts).map(count -> -count).toArray(), 0, counts.length, tape);
            }
        }
        SymbolStack stack = new SymbolStack();
        tape.pushBackTo(0, stack);
        return (long) stack.bytes() - SymbolStack.STATE_BYTES;
    }

    private static SoftTargets positions(BufferedReader in, int positions) throws IOException {
        int[] offsets = new int[positions + 1];
        int[] ids = new int[16 * positions];
        float[] probabilities = new float[ids.length];
        for (int t = 0; t < positions; t++) {
            String[] words = in.readLine().split(" ");
            int end = offsets[t] + words.length / 2;
            if (end > ids.length) {
                ids = Arrays.copyOf(ids, 2 * end);
                probabilities = Arrays.copyOf(probabilities, 2 * end);
            }
            for (int i = 0; i < words.length / 2; i++) {
                ids[offsets[t] + i] = Integer.parseInt(words[2 * i]);
                probabilities[offsets[t] + i] = Float.parseFloat(words[2 * i + 1]);
            }
            offsets[t + 1] = end;
        }
        return new SoftTargets(offsets, Arrays.copyOf(ids, offsets[positions]), Arrays.copyOf(probabilities, offsets[positions]));
    }

    private static long[] counts(Path file) throws IOException {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.mapToLong(Long::parseLong).toArray();
        }
    }

    private static int[] numbers(String line) {
        return Stream.of(line.split(" ")).mapToInt(Integer::parseInt).toArray();
    }
}
