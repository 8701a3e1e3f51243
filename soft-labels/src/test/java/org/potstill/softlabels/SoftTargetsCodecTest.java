// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.errors.UserException;

class SoftTargetsCodecTest {
    /** The log of what the steps leave of a mass, and of a float's rounding. */
    private static final double ERROR = SoftTargetsCodec.STEP + 1e-6;

    @ParameterizedTest
    @CsvSource({"0, 50, 49152, 256", "0, 1024, 262144, 12", "8, 50, 262208, 20", "0, 1024, 524288, 12", "1024, 0, 524288, 3", "0, 1, 2, 40", "0, 7, 1, 9", "0, 50, 3, 400", "50, 0, 49152, 64", "1, 0, 2, 5",
        "1024, 0, 262144, 6", "4, 0, 3, 300", "16, 0, 1000, 0", "8, 50, 49152, 64", "1024, 1024, 2500, 5", "4, 50, 5, 99", "4, 50, 4, 9",
        "1000, 0, 3000, 80"})
    void whatWasEncodedComesBack(int k, int draws, int vocabSize, int positions) {
        Random random = new Random(k + draws);
        RandomTargets row = RandomTargets.of(random, new TargetSpec(k, draws, 0), vocabSize, positions);
        assertComesBack(row, TokenPrior.none(vocabSize));
        assertComesBack(row, TokenPrior.of(counts(random, vocabSize)));
    }

    @Test
    void targetsOfAnyKindAndSizeComeBack() {
        for (int seed = 0; seed < 300; seed++) {
            Random random = new Random(seed);
            RandomTargets row = RandomTargets.any(random);
            try {
                assertComesBack(row, random.nextBoolean() ? TokenPrior.none(row.vocabSize())
                        : TokenPrior.of(counts(random, row.vocabSize())));
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + ": " + row.spec().name() + " of " + row.vocabSize(), e);
            }
        }
    }

    private static void assertComesBack(RandomTargets row, TokenPrior prior) {
        SoftTargetsCodec codec = new SoftTargetsCodec(row.spec(), row.vocabSize(), prior);
        SoftTargets original = row.targets();
        SoftTargets decoded = codec.decode(row.tokens(), codec.encode(row.tokens(), original));
        assertArrayEquals(original.offsets(), decoded.offsets());
        assertArrayEquals(original.ids(), decoded.ids());
        if (row.spec().k() == 0) {
            assertArrayEquals(original.probabilities(), decoded.probabilities());
            return;
        }
        for (int i = 0; i < original.ids().length; i++) {
            double error = Math.abs(Math.log(original.probabilities()[i]) - Math.log(decoded.probabilities()[i]));
            assertTrue(error <= ERROR, "error " + error);
        }
        for (int t = 0; t < original.positions(); t++) {
            double tail = original.tailMass(t);
            if (tail > 1e-4) {
                assertEquals(Math.log(tail), Math.log(decoded.tailMass(t)), 0.02);
            } else {
                assertEquals(tail, decoded.tailMass(t), 2e-6);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 50, 49152, 24", "0, 50, 600, 60", "0, 1024, 3000, 4", "0, 9, 2, 50", "12, 0, 262144, 9", "4, 0, 3, 60", "50, 0, 500, 30",
        "50, 0, 60, 2300", "8, 50, 5000, 20", "4, 50, 6, 40", "1, 2, 1, 3", "0, 3, 50, 1200"})
    void theEncoderAgreesWithOneThatDoesEverythingTheSlowWay(int k, int draws, int vocabSize, int positions) {
        Random random = new Random(k * 31 + draws);
        RandomTargets row = RandomTargets.of(random, new TargetSpec(k, draws, 0), vocabSize, positions);
        for (long[] counts : List.of(new long[vocabSize], counts(random, vocabSize))) {
            TokenPrior prior = TokenPrior.of(counts);
            assertArrayEquals(new NaiveRowEncoder(row, counts).encode(prior.hash()),
                    new SoftTargetsCodec(row.spec(), vocabSize, prior).encode(row.tokens(), row.targets()));
        }
    }

    @Test
    void aRowDecodesTheSameWhateverElseTheCodecDoes() {
        TargetSpec spec = TargetSpec.topKAndSystematic(4, 30, 0);
        SoftTargetsCodec codec = new SoftTargetsCodec(spec, 5000, TokenPrior.of(counts(new Random(1), 5000)));
        List<RandomTargets> rows = IntStream.range(0, 64).mapToObj(seed -> RandomTargets.of(new Random(seed), spec, 5000, 50)).toList();
        List<byte[]> alone = rows.stream().map(row ->
                new SoftTargetsCodec(spec, 5000, TokenPrior.of(counts(new Random(1), 5000))).encode(row.tokens(), row.targets())).toList();
        IntStream.range(0, 640).parallel().map(i -> i * 37 % 64).forEach(i -> {
            RandomTargets row = rows.get(i);
            assertArrayEquals(alone.get(i), codec.encode(row.tokens(), row.targets()));
            assertArrayEquals(row.targets().ids(), codec.decode(row.tokens(), alone.get(i)).ids());
        });
    }

    @Test
    void encodingTouchesNothingOfWhatItIsGiven() {
        RandomTargets row = RandomTargets.of(new Random(5), TargetSpec.systematic(50, 0), 3000, 40);
        int[] ids = row.targets().ids().clone();
        int[] tokens = row.tokens().clone();
        new SoftTargetsCodec(row.spec(), 3000, TokenPrior.none(3000)).encode(row.tokens(), row.targets());
        assertArrayEquals(ids, row.targets().ids());
        assertArrayEquals(tokens, row.tokens());
    }

    @Test
    void knownTextTakesFewBytes() {
        RandomTargets row = RandomTargets.of(new Random(2), TargetSpec.systematic(50, 0), 49152, 256);
        long[] counts = new long[49152];
        for (int id : row.targets().ids()) {
            counts[id]++;
        }
        int zipf = new SoftTargetsCodec(row.spec(), 49152, TokenPrior.none(49152)).encode(row.tokens(), row.targets()).length;
        int corpus = new SoftTargetsCodec(row.spec(), 49152, TokenPrior.of(counts)).encode(row.tokens(), row.targets()).length;
        assertTrue(corpus < 0.9 * zipf, corpus + " bytes where Zipf's law takes " + zipf);
    }

    @ParameterizedTest
    @CsvSource({"'0 0.5 1 0.5', 4, sampled", "'3 0.5 1 0.5', 2, do not ascend", "'3 0.5 3 0.5', 2, do not ascend", "'3 0.4 4 0.6', 2, draws of token",
        "'3 0.5', 2, 1 draws", "'3 0.5 5000 0.5', 2, outside the vocabulary", "'3 NaN', 2, draws of token", "'', 2, entries",
        "'1 0.25 2 0.25 3 0.5', 2, entries"})
    void targetsThatAreNoDrawsAreRefused(String position, int draws, String why) {
        SoftTargetsCodec codec = new SoftTargetsCodec(TargetSpec.systematic(draws, 0), 5000, TokenPrior.none(5000));
        SoftTargets targets = position(position);
        if (why.equals("sampled")) {
            assertEquals(2, codec.decode(new int[2], codec.encode(new int[2], targets)).ids().length);
            return;
        }
        String message = assertThrows(IllegalArgumentException.class, () -> codec.encode(new int[2], targets)).getMessage();
        assertTrue(message.contains(why), message);
    }

    @Test
    void mostProbableTokensOutOfOrderOrWithLostMassAreRefused() {
        SoftTargetsCodec top = new SoftTargetsCodec(TargetSpec.topK(2), 50, TokenPrior.none(50));
        assertThrows(IllegalArgumentException.class, () -> top.encode(new int[2], position("1 0.2 2 0.3")));
        assertThrows(IllegalArgumentException.class, () -> top.encode(new int[2], position("1 0.3 1 0.3")));
        SoftTargetsCodec both = new SoftTargetsCodec(TargetSpec.topKAndSystematic(2, 4, 0), 50, TokenPrior.none(50));
        assertThrows(IllegalArgumentException.class, () -> both.encode(new int[2], position("1 0.3 2 0.2")));
        assertThrows(IllegalArgumentException.class, () -> both.encode(new int[2], position("1 0.3 2 0.2 7 0.1")));
        assertThrows(IllegalArgumentException.class, () -> both.encode(new int[2], position("1 0.3 2 0.2")));
        assertThrows(IllegalArgumentException.class, () -> both.encode(new int[2], position("1 0.3 2 0.2 2 0.5")));
        assertEquals(3, both.decode(new int[2], both.encode(new int[2], position("1 0.3 2 0.2 7 0.5"))).ids().length);
    }

    @Test
    void tokensThatDoNotFitTheTargetsAreRefused() {
        SoftTargetsCodec codec = new SoftTargetsCodec(TargetSpec.topK(2), 50, TokenPrior.none(50));
        SoftTargets targets = position("1 0.5 2 0.3");
        assertThrows(IllegalArgumentException.class, () -> codec.encode(new int[3], targets));
        assertThrows(IllegalArgumentException.class, () -> codec.encode(new int[] {0, 50}, targets));
        byte[] good = codec.encode(new int[2], targets);
        assertThrows(UserException.class, () -> codec.decode(new int[3], good));
        assertThrows(UserException.class, () -> codec.decode(new int[] {-1, 0}, good));
        assertThrows(UserException.class, () -> codec.decode(new int[0], good));
    }

    @Test
    void targetsOfAnotherSpecificationAreRefused() {
        RandomTargets row = RandomTargets.of(new Random(1), TargetSpec.topK(4), 100, 6);
        byte[] bytes = new SoftTargetsCodec(TargetSpec.topK(4), 100, TokenPrior.none(100)).encode(row.tokens(), row.targets());
        for (SoftTargetsCodec other : List.of(new SoftTargetsCodec(TargetSpec.topK(5), 100, TokenPrior.none(100)),
                new SoftTargetsCodec(TargetSpec.topK(4), 5000, TokenPrior.none(5000)),
                new SoftTargetsCodec(TargetSpec.topKAndSystematic(4, 3, 0), 100, TokenPrior.none(100)))) {
            String message = assertThrows(UserException.class, () -> other.decode(row.tokens(), bytes)).getMessage();
            assertTrue(message.contains("do not fit what was asked for"), message);
        }
    }

    @Test
    void aRowDecodesWithThePriorThatItNamesAndNoOther() {
        RandomTargets row = RandomTargets.of(new Random(1), TargetSpec.systematic(20, 0), 100, 6);
        TokenPrior first = TokenPrior.of(counts(new Random(1), 100));
        TokenPrior second = TokenPrior.of(counts(new Random(2), 100));
        assertNotEquals(first.hash(), second.hash());
        byte[] bytes = new SoftTargetsCodec(row.spec(), 100, first).encode(row.tokens(), row.targets());
        SoftTargetsCodec both = new SoftTargetsCodec(row.spec(), 100, second, List.of(first));
        assertArrayEquals(row.targets().ids(), both.decode(row.tokens(), bytes).ids());
        byte[] zipf = new SoftTargetsCodec(row.spec(), 100, TokenPrior.none(100)).encode(row.tokens(), row.targets());
        assertArrayEquals(row.targets().ids(), both.decode(row.tokens(), zipf).ids());
        SoftTargetsCodec other = new SoftTargetsCodec(row.spec(), 100, second);
        String message = assertThrows(UserException.class, () -> other.decode(row.tokens(), bytes)).getMessage();
        assertTrue(message.contains(first.name()), message);
    }

    static long[] counts(Random random, int vocabSize) {
        return random.doubles(vocabSize).mapToLong(u -> (long) (1 / (u + 1e-4)) / 3).toArray();
    }

    /** @param entries id and probability in turn */
    private static SoftTargets position(String entries) {
        String[] words = entries.isEmpty() ? new String[0] : entries.split(" ");
        int[] ids = new int[words.length / 2];
        float[] probabilities = new float[ids.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = Integer.parseInt(words[2 * i]);
            probabilities[i] = Float.parseFloat(words[2 * i + 1]);
        }
        return new SoftTargets(new int[] {0, ids.length}, ids, probabilities);
    }
}
