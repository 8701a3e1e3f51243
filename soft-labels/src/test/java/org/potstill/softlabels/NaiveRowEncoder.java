// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;

/** docs/cache-format.md, read aloud: weights are summed up from nothing at each position, and shares for each id. */
final class NaiveRowEncoder {
    private record Share(long start, long width, long total) {
    }

    private record Drawn(int id, int count) {
    }

    private final TargetSpec spec;
    private final int vocabSize;
    private final int[] tokens;
    private final SoftTargets targets;
    private final long[] prior;
    private final Map<String, long[]> frequencies = new HashMap<>();
    private BigInteger state = BigInteger.TWO.pow(31);
    private final Deque<Integer> words = new ArrayDeque<>();

    NaiveRowEncoder(RandomTargets row, long[] counts) {
        this.spec = row.spec();
        this.vocabSize = row.vocabSize();
        this.tokens = row.tokens();
        this.targets = row.targets();
        this.prior = priorWeights(counts);
    }

    static long[] priorWeights(long[] counts) {
        double[] flat = Arrays.stream(counts).mapToDouble(count -> {
            double kept = count;
            if (count >= 16) {
                long unit = Long.highestOneBit(count) / 8;
                kept = count / unit * unit;
            }
            return Math.sqrt(kept) * Math.sqrt(Math.sqrt(kept));
        }).toArray();
        double sum = 0;
        for (double f : flat) {
            sum += f;
        }
        double scale = sum == 0 ? 0 : 11_000_000 / sum;
        return IntStream.range(0, counts.length).mapToLong(id -> 900_000 / (id + 300) + (long) (flat[id] * scale)).toArray();
    }

    byte[] encode(long priorHash) {
        List<List<Share>> numbers = new ArrayList<>();
        for (int t = 0; t < targets.positions(); t++) {
            numbers.add(numbers(t));
        }
        for (int t = targets.positions() - 1; t >= 0; t--) {
            ids(t);
            List<Share> shares = numbers.get(t);
            for (int i = shares.size() - 1; i >= 0; i--) {
                push(shares.get(i));
            }
        }
        ByteBuffer out = ByteBuffer.allocate(21 + 8 + 4 * words.size() + 4);
        out.put((byte) 2).putShort((short) spec.k()).putShort((short) spec.draws()).putInt(vocabSize).putLong(priorHash);
        out.putInt(targets.positions()).putLong(state.longValueExact());
        words.forEach(out::putInt);
        CRC32C crc = new CRC32C();
        crc.update(out.array(), 0, out.position());
        return out.putInt((int) crc.getValue()).array();
    }

    private int head() {
        return Math.min(spec.k(), vocabSize);
    }

    private List<Drawn> drawn(int t) {
        double tail = 0;
        for (int i = targets.begin(t) + head(); i < targets.end(t); i++) {
            tail += targets.probabilities()[i];
        }
        List<Drawn> drawn = new ArrayList<>();
        for (int i = targets.begin(t) + head(); i < targets.end(t); i++) {
            drawn.add(new Drawn(targets.ids()[i], (int) Math.round(targets.probabilities()[i] * spec.draws() / tail)));
        }
        drawn.sort(Comparator.comparing((Drawn d) -> -d.count()).thenComparing(Drawn::id));
        return drawn;
    }

    private List<Share> numbers(int t) {
        List<Share> shares = new ArrayList<>();
        double listed = 0;
        double tail = 0;
        for (int i = targets.begin(t); i < targets.end(t); i++) {
            listed += targets.probabilities()[i];
            tail += i < targets.begin(t) + head() ? 0 : targets.probabilities()[i];
        }
        if (head() > 0) {
            number("tail", level(spec.draws() > 0 ? tail : (float) Math.max(0, 1 - listed)), 4096, shares);
            int before = 0;
            for (int rank = 0; rank < head(); rank++) {
                int level = Math.min(4094, level(targets.probabilities()[targets.begin(t) + rank]));
                String context = rank == 0 ? "first" : "gap " + Integer.toBinaryString(rank).length();
                number(context, level - before, 4095, shares);
                before = level;
            }
        }
        List<Drawn> drawn = drawn(t);
        if (!drawn.isEmpty()) {
            int having = drawn.size();
            number("tokens", having - 1, Math.min(spec.draws(), vocabSize - head()), shares);
            int left = spec.draws() - having;
            for (int count = 2; left > 0 && having > 1; count++) {
                int atLeast = count;
                int survivors = (int) drawn.stream().filter(d -> d.count() >= atLeast).count();
                int bits = Integer.toBinaryString(having).length();
                number(having <= 8 ? "of " + having : "of bits " + bits, survivors - 1, having <= 8 ? having : 1 << bits, shares);
                having = survivors;
                left -= survivors;
            }
        }
        return shares;
    }

    private static int level(double mass) {
        return mass == 0 ? 4095 : (int) Math.max(0, Math.min(4094, Math.round(-100 * Math.log(mass))));
    }

    private void number(String context, int value, int limit, List<Share> shares) {
        long[] table = frequencies.computeIfAbsent(context, c -> {
            long[] fresh = new long[symbol(limit - 1) + 1];
            Arrays.fill(fresh, 1);
            return fresh;
        });
        int symbol = symbol(value);
        shares.add(new Share(Arrays.stream(table, 0, symbol).sum(), table[symbol], Arrays.stream(table).sum()));
        if (value >= 32) {
            long unit = Long.highestOneBit(value) / 8;
            shares.add(new Share(value % unit, 1, unit));
        } else if (value >= 16) {
            shares.add(new Share(value % 2, 1, 2));
        }
        table[symbol] += 3;
        if (Arrays.stream(table).sum() > 65536) {
            Arrays.setAll(table, s -> (table[s] + 1) / 2);
        }
    }

    private static int symbol(int value) {
        int symbol = value;
        if (value >= 16) {
            int octave = Integer.toBinaryString(value).length() - 5;
            symbol = 16 + 8 * octave + (int) (value / (Long.highestOneBit(value) / 8)) - 8;
        }
        return symbol;
    }

    private void ids(int t) {
        long[] weights = weights(t);
        List<Integer> ranked = new ArrayList<>();
        List<Integer> counts = new ArrayList<>();
        for (int i = targets.begin(t); i < targets.begin(t) + head(); i++) {
            ranked.add(targets.ids()[i]);
            counts.add(0);
        }
        for (Drawn drawn : drawn(t)) {
            ranked.add(drawn.id());
            counts.add(drawn.count());
        }
        TreeSet<Integer> open = new TreeSet<>();
        for (int rank = ranked.size() - 1; rank >= 0; rank--) {
            int id = ranked.get(rank);
            int count = counts.get(rank);
            if (count > 0) {
                if (rank == ranked.size() - 1 || counts.get(rank + 1) != count) {
                    open = new TreeSet<>();
                    for (int r = 0; r <= rank; r++) {
                        if (counts.get(r) == count) {
                            open.add(ranked.get(r));
                        }
                    }
                }
                id = new ArrayList<>(open).get(popUniform(open.size()));
                open.remove(id);
            }
            Set<Integer> had = new HashSet<>(open);
            for (int r = 0; r < rank; r++) {
                if (count == 0 || counts.get(r) != count) {
                    had.add(ranked.get(r));
                }
            }
            push(share(weights, tokens[t + 1], rank, id, had));
        }
    }

    private Share share(long[] weights, int next, int rank, int id, Set<Integer> had) {
        long all = 0;
        long below = 0;
        for (int v = 0; v < vocabSize; v++) {
            if (v != next && !had.contains(v)) {
                below += v < id ? weights[v] : 0;
                all += weights[v];
            }
        }
        long apart = had.contains(next) ? 0 : weights[next] + all / (2 * rank + 2);
        return id == next ? new Share(0, apart, apart + all) : new Share(apart + below, weights[id], apart + all);
    }

    private long[] weights(int t) {
        long[] weights = prior.clone();
        long learnt = 1 + Arrays.stream(prior).sum() / 3072;
        for (int earlier = 0; earlier < t && Arrays.stream(weights).sum() < 1 << 28; earlier++) {
            for (int i = targets.begin(earlier); i < targets.end(earlier); i++) {
                weights[targets.ids()[i]] += learnt;
            }
        }
        int before = t - 1;
        while (before >= 0 && tokens[before] != tokens[t]) {
            before--;
        }
        if (before >= 0) {
            int followers = targets.end(before) - targets.begin(before);
            long extra = Arrays.stream(weights).sum() / Math.max(64, 2 * followers);
            for (int i = targets.begin(before); i < targets.end(before); i++) {
                weights[targets.ids()[i]] += extra;
            }
        }
        return weights;
    }

    private static BigInteger scaled(long part, long total) {
        return BigInteger.valueOf(part).shiftLeft(30).divide(BigInteger.valueOf(total));
    }

    private void push(Share share) {
        BigInteger from = scaled(share.start(), share.total());
        BigInteger width = scaled(share.start() + share.width(), share.total()).subtract(from);
        if (state.compareTo(width.shiftLeft(33)) >= 0) {
            words.push(state.intValue());
            state = state.shiftRight(32);
        }
        state = state.divide(width).shiftLeft(30).add(state.mod(width)).add(from);
    }

    private int popUniform(int choices) {
        BigInteger slot = state.mod(BigInteger.TWO.pow(30));
        int choice = 0;
        while (scaled(choice + 1, choices).compareTo(slot) <= 0) {
            choice++;
        }
        BigInteger from = scaled(choice, choices);
        state = state.shiftRight(30).multiply(scaled(choice + 1, choices).subtract(from)).add(slot).subtract(from);
        if (state.bitLength() <= 31) {
            int word = words.isEmpty() ? 0 : words.pop();
            state = state.shiftLeft(32).add(BigInteger.valueOf(word & 0xffffffffL));
        }
        return choice;
    }
}
