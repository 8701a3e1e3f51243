// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;

class TokenPriorTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 100, 49_152, 262_144})
    void aPriorComesBackFromItsBytes(int vocabSize) {
        TokenPrior prior = TokenPrior.of(SoftTargetsCodecTest.counts(new Random(vocabSize), vocabSize));
        TokenPrior read = TokenPrior.read(prior.bytes(), vocabSize);
        assertEquals(prior.hash(), read.hash());
        assertArrayEquals(prior.weights(), read.weights());
        assertArrayEquals(prior.bytes(), read.bytes());
    }

    @Test
    void weightsAreWhatTheFormatSays() {
        long[] counts = SoftTargetsCodecTest.counts(new Random(4), 5000);
        int[] expected = Arrays.stream(NaiveRowEncoder.priorWeights(counts)).mapToInt(Math::toIntExact).toArray();
        assertArrayEquals(expected, TokenPrior.of(counts).weights());
        assertArrayEquals(TokenPrior.none(5000).weights(), TokenPrior.of(new long[5000]).weights());
        assertEquals(TokenPrior.NO_HASH, TokenPrior.none(5000).hash());
    }

    @Test
    void everyTokenHasSomeWeightAndNoneTooMuch() {
        long[] counts = new long[TokenPrior.MAX_VOCABULARY];
        counts[3] = Long.MAX_VALUE;
        for (TokenPrior prior : new TokenPrior[] {TokenPrior.of(counts), TokenPrior.none(TokenPrior.MAX_VOCABULARY)}) {
            assertTrue(Arrays.stream(prior.weights()).allMatch(weight -> weight > 0));
            assertEquals(Arrays.stream(prior.weights()).asLongStream().sum(), prior.total());
            assertTrue(prior.total() < 1 << 25);
        }
    }

    @Test
    void countsAndTheirScaleDecideTheHash() {
        long[] counts = SoftTargetsCodecTest.counts(new Random(4), 500);
        TokenPrior prior = TokenPrior.of(counts);
        assertEquals(prior.hash(), TokenPrior.of(counts.clone()).hash());
        counts[7]++;
        assertNotEquals(prior.hash(), TokenPrior.of(counts).hash());
        assertEquals(16, prior.name().length());
    }

    @Test
    void aCorpusOfAFewThousandTokensMakesASmallFile() {
        long[] counts = new long[49_152];
        for (int i = 0; i < 8_000; i++) {
            counts[(int) (49_152 * Math.pow(i / 8_000.0, 2))] += 1 + 20_000 / (i + 1);
        }
        assertTrue(TokenPrior.of(counts).bytes().length < 10_000);
    }

    @Test
    void damagedFilesAndImpossibleVocabulariesAreRefused() {
        byte[] good = TokenPrior.of(SoftTargetsCodecTest.counts(new Random(4), 500)).bytes();
        assertThrows(UserException.class, () -> TokenPrior.read(good, 499));
        assertThrows(UserException.class, () -> TokenPrior.read(good, 501));
        assertThrows(UserException.class, () -> TokenPrior.read(new byte[1 << 20], 500));
        assertThrows(UserException.class, () -> TokenPrior.none(0));
        assertThrows(UserException.class, () -> TokenPrior.none(TokenPrior.MAX_VOCABULARY + 1));
        for (int length = 0; length < good.length; length++) {
            byte[] cut = Arrays.copyOf(good, length);
            assertThrows(UserException.class, () -> TokenPrior.read(cut, 500));
        }
        int refused = 0;
        for (int seed = 0; seed < 2_000; seed++) {
            Random random = new Random(seed);
            byte[] bad = good.clone();
            bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            try {
                assertEquals(500, TokenPrior.read(bad, 500).vocabSize());
            } catch (UserException e) {
                refused++;
            }
        }
        assertTrue(refused > 1_900, refused + " were refused");
    }
}
