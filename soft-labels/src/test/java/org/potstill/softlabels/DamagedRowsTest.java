// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;

class DamagedRowsTest {
    private static final RandomTargets ROW = RandomTargets.of(new Random(1), TargetSpec.topKAndSystematic(4, 20, 0), 100, 6);
    private static final SoftTargetsCodec CODEC = new SoftTargetsCodec(ROW.spec(), ROW.vocabSize(), TokenPrior.none(ROW.vocabSize()));
    private static final byte[] GOOD = CODEC.encode(ROW.tokens(), ROW.targets());

    @Test
    void everyFlippedBitIsNoticed() {
        for (int bit = 0; bit < GOOD.length * 8; bit++) {
            byte[] bad = GOOD.clone();
            bad[bit / 8] ^= (byte) (1 << bit % 8);
            assertThrows(UserException.class, () -> CODEC.decode(ROW.tokens(), bad));
        }
    }

    @Test
    void everyCutIsNoticed() {
        for (int length = 0; length < GOOD.length; length++) {
            byte[] bad = Arrays.copyOf(GOOD, length);
            assertThrows(UserException.class, () -> CODEC.decode(ROW.tokens(), bad));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 9, 255})
    void anotherVersionIsRefusedByName(int version) {
        byte[] bytes = GOOD.clone();
        bytes[0] = (byte) version;
        String message = assertThrows(UserException.class, () -> CODEC.decode(ROW.tokens(), bytes)).getMessage();
        assertTrue(message.contains("version " + version), message);
    }

    @Test
    void wordsBeyondTheEndAreNoticed() {
        byte[] bad = ByteBuffer.allocate(GOOD.length + 4).put(GOOD, 0, GOOD.length - 4).putInt(7).array();
        mendChecksum(bad);
        String message = assertThrows(UserException.class, () -> CODEC.decode(ROW.tokens(), bad)).getMessage();
        assertTrue(message.contains("damaged"), message);
    }

    @Test
    void tenThousandMutationsAreRefusedOrDecodeToSomethingValid() {
        int[] outcomes = new int[2];
        assertTimeoutPreemptively(Duration.ofMinutes(2), () -> {
            for (int seed = 0; seed < 10_000; seed++) {
                try {
                    outcomes[mutate(new Random(seed)) ? 1 : 0]++;
                } catch (RuntimeException | AssertionError e) {
                    throw new AssertionError("seed " + seed, e);
                }
            }
        });
        assertEquals(10_000, outcomes[0] + outcomes[1]);
        assertTrue(outcomes[0] > 9_000, outcomes[0] + " were refused");
    }

    /** @return whether the damaged row decoded to something */
    private static boolean mutate(Random random) {
        TargetSpec spec = List.of(TargetSpec.topK(1 + random.nextInt(9)), TargetSpec.systematic(1 + random.nextInt(60), 0),
                TargetSpec.topKAndSystematic(1 + random.nextInt(9), 1 + random.nextInt(60), 0)).get(random.nextInt(3));
        int vocabSize = 1 + random.nextInt(300);
        RandomTargets row = RandomTargets.of(random, spec, vocabSize, 1 + random.nextInt(8));
        SoftTargetsCodec codec = new SoftTargetsCodec(spec, vocabSize, TokenPrior.none(vocabSize));
        byte[] good = codec.encode(row.tokens(), row.targets());
        byte[] bad = good;
        int[] tokens = row.tokens();
        switch (random.nextInt(5)) {
            case 0 -> bad = Arrays.copyOf(bad, Math.max(0, bad.length - 4 * random.nextInt(12) + 4 * random.nextInt(4)));
            case 1 -> {
                tokens = tokens.clone();
                tokens[random.nextInt(tokens.length)] = random.nextInt(vocabSize + 2) - 1;
            }
            default -> bad = good.clone();
        }
        if (bad != good && bad.length > 5) {
            for (int flips = random.nextInt(6); flips >= 0; flips--) {
                int from = random.nextBoolean() ? SoftTargetsCodec.HEADER_BYTES : 0;
                bad[Math.min(bad.length - 1, from + random.nextInt(bad.length))] = (byte) random.nextInt();
            }
            if (random.nextInt(4) > 0) {
                mendChecksum(bad);
            }
        }
        try {
            assertValid(codec.decode(tokens, bad), spec, vocabSize, tokens.length - 1);
            return true;
        } catch (UserException e) {
            return false;
        }
    }

    private static void assertValid(SoftTargets targets, TargetSpec spec, int vocabSize, int positions) {
        assertEquals(positions, targets.positions());
        for (int t = 0; t < positions; t++) {
            Set<Integer> ids = new HashSet<>();
            double sum = 0;
            for (int i = targets.begin(t); i < targets.end(t); i++) {
                assertTrue(ids.add(targets.ids()[i]) && targets.ids()[i] >= 0 && targets.ids()[i] < vocabSize);
                assertTrue(targets.probabilities()[i] > 0 && targets.probabilities()[i] <= 1);
                sum += targets.probabilities()[i];
            }
            assertTrue(sum < 1 + 1e-5 && (spec.hasGhost() || sum > 1 - 1e-5), "mass " + sum);
            assertTrue(ids.size() <= spec.k() + spec.draws());
        }
    }

    @Test
    void hugeClaimsAreRefusedBeforeAnythingIsAllocated() {
        for (int positions : new int[] {-1, 7, 1 << 24, Integer.MAX_VALUE}) {
            byte[] bad = GOOD.clone();
            ByteBuffer.wrap(bad).putInt(SoftTargetsCodec.HEADER_BYTES - 4, positions);
            mendChecksum(bad);
            assertThrows(UserException.class, () -> CODEC.decode(ROW.tokens(), bad));
        }
    }

    private static void mendChecksum(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, bytes.length - 4);
        ByteBuffer.wrap(bytes).putInt(bytes.length - 4, (int) crc.getValue());
    }
}
