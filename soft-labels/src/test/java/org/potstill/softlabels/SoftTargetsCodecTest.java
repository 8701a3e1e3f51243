package org.potstill.softlabels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.errors.UserException;

class SoftTargetsCodecTest {
    private static final int[] NONE = {};

    @ParameterizedTest
    @CsvSource({"1, 2, 5", "8, 300, 17", "32, 49152, 40", "50, 262144, 9", "4, 3, 6", "16, 1000, 0"})
    void logProbabilitiesComeBackWithinOneStep(int k, int vocab, int positions) {
        SoftTargets original = random(new Random(k), k, vocab, positions);
        SoftTargetsCodec codec = new SoftTargetsCodec(TargetSpec.topK(k), vocab);
        SoftTargets decoded = codec.decode(NONE, codec.encode(NONE, original));
        assertArrayEquals(original.offsets(), decoded.offsets());
        assertArrayEquals(original.ids(), decoded.ids());
        for (int i = 0; i < original.ids().length; i++) {
            double error = Math.abs(Math.log(original.probabilities()[i]) - Math.log(decoded.probabilities()[i]));
            assertTrue(error <= SoftTargetsCodec.STEP + 1e-5, "error " + error);
        }
        for (int t = 0; t < positions; t++) {
            double tail = original.tailMass(t);
            if (tail > 1e-4) {
                assertEquals(Math.log(tail), Math.log(decoded.tailMass(t)), 0.02);
            } else {
                assertEquals(tail, decoded.tailMass(t), 2e-6);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 2, 5", "8, 300, 17", "32, 49152, 40", "50, 262144, 9"})
    void theEncoderAgreesWithOneThatWritesBitsAsText(int k, int vocab, int positions) {
        SoftTargets targets = random(new Random(7), k, vocab, positions);
        assertArrayEquals(naiveEncode(targets, k, vocab), new SoftTargetsCodec(TargetSpec.topK(k), vocab).encode(NONE, targets));
    }

    @Test
    void encodingWhatWasDecodedGivesTheSameTargetsAgain() {
        SoftTargetsCodec codec = new SoftTargetsCodec(TargetSpec.topK(16), 5000);
        SoftTargets once = codec.decode(NONE, codec.encode(NONE, random(new Random(3), 16, 5000, 50)));
        SoftTargets twice = codec.decode(NONE, codec.encode(NONE, once));
        for (int i = 0; i < once.ids().length; i++) {
            assertEquals(Math.log(once.probabilities()[i]), Math.log(twice.probabilities()[i]), 2 * SoftTargetsCodec.STEP);
        }
    }

    @Test
    void everyFlippedBitIsNoticed() {
        SoftTargetsCodec codec = new SoftTargetsCodec(TargetSpec.topK(4), 100);
        byte[] good = codec.encode(NONE, random(new Random(1), 4, 100, 6));
        for (int bit = 0; bit < good.length * 8; bit++) {
            byte[] bad = good.clone();
            bad[bit / 8] ^= (byte) (1 << bit % 8);
            assertThrows(UserException.class, () -> codec.decode(NONE, bad));
        }
    }

    @Test
    void everyCutIsNoticed() {
        SoftTargetsCodec codec = new SoftTargetsCodec(TargetSpec.topK(4), 100);
        byte[] good = codec.encode(NONE, random(new Random(1), 4, 100, 6));
        for (int length = 0; length < good.length; length++) {
            byte[] bad = Arrays.copyOf(good, length);
            assertThrows(UserException.class, () -> codec.decode(NONE, bad));
        }
    }

    @Test
    void aLaterVersionIsRefusedByName() {
        SoftTargetsCodec codec = new SoftTargetsCodec(TargetSpec.topK(4), 100);
        byte[] bytes = codec.encode(NONE, random(new Random(1), 4, 100, 6));
        bytes[0] = 9;
        assertTrue(assertThrows(UserException.class, () -> codec.decode(NONE, bytes)).getMessage().contains("version 9"));
    }

    @Test
    void targetsOfAnotherSpecificationAreRefused() {
        byte[] bytes = new SoftTargetsCodec(TargetSpec.topK(4), 100).encode(NONE, random(new Random(1), 4, 100, 6));
        assertThrows(UserException.class, () -> new SoftTargetsCodec(TargetSpec.topK(5), 100).decode(NONE, bytes));
        assertThrows(UserException.class, () -> new SoftTargetsCodec(TargetSpec.topK(4), 5000).decode(NONE, bytes));
    }

    @Test
    void keysDependOnTokensTeacherTokenizerAndSpec() {
        String key = SequenceKey.of(new int[] {1, 2, 3}, "t", "k", TargetSpec.topK(8));
        assertEquals(key, SequenceKey.of(new int[] {1, 2, 3}, "t", "k", TargetSpec.topK(8)));
        assertEquals(32, key.length());
        for (String other : new String[] {
            SequenceKey.of(new int[] {1, 2, 4}, "t", "k", TargetSpec.topK(8)),
            SequenceKey.of(new int[] {1, 2, 3}, "u", "k", TargetSpec.topK(8)),
            SequenceKey.of(new int[] {1, 2, 3}, "t", "l", TargetSpec.topK(8)),
            SequenceKey.of(new int[] {1, 2, 3}, "t", "k", TargetSpec.topK(9))}) {
            assertTrue(!key.equals(other));
        }
    }

    static SoftTargets random(Random random, int k, int vocab, int positions) {
        int entries = Math.min(k, vocab);
        int[] offsets = new int[positions + 1];
        int[] ids = new int[positions * entries];
        float[] probabilities = new float[positions * entries];
        for (int t = 0; t < positions; t++) {
            offsets[t + 1] = offsets[t] + entries;
            int[] drawn = random.ints(0, vocab).distinct().limit(entries).toArray();
            double[] mass = random.doubles(entries).map(u -> Math.exp(-20 * u)).sorted().toArray();
            double total = Arrays.stream(mass).sum() * (t % 3 == 0 ? 1 : 1 + random.nextDouble());
            for (int i = 0; i < entries; i++) {
                ids[offsets[t] + i] = drawn[i];
                probabilities[offsets[t] + i] = (float) (mass[entries - 1 - i] / total);
            }
        }
        return new SoftTargets(offsets, ids, probabilities);
    }

    /** The specification, read aloud. */
    private static byte[] naiveEncode(SoftTargets targets, int k, int vocab) {
        int idBits = Math.max(1, Integer.toBinaryString(vocab - 1).length());
        StringBuilder bits = new StringBuilder();
        bits.append(binary(1, 8)).append(binary(idBits, 8)).append(binary(k, 16)).append(binary(targets.positions(), 32));
        for (int t = 0; t < targets.positions(); t++) {
            for (int i = targets.begin(t); i < targets.end(t); i++) {
                bits.append(binary(targets.ids()[i], idBits));
                bits.append(binary(Math.min(4094, Math.round(-100 * Math.log(targets.probabilities()[i]))), 12));
            }
            float tail = targets.tailMass(t);
            bits.append(binary(tail == 0 ? 4095 : Math.min(4094, Math.round(-100 * Math.log(tail))), 12));
        }
        while (bits.length() % 8 != 0) {
            bits.append('0');
        }
        byte[] bytes = new byte[bits.length() / 8 + 4];
        for (int i = 0; i < bytes.length - 4; i++) {
            bytes[i] = (byte) Integer.parseInt(bits.substring(8 * i, 8 * i + 8), 2);
        }
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, bytes.length - 4);
        for (int i = 0; i < 4; i++) {
            bytes[bytes.length - 4 + i] = (byte) (crc.getValue() >>> 24 - 8 * i);
        }
        return bytes;
    }

    private static String binary(long value, int width) {
        String digits = Long.toBinaryString(value);
        return "0".repeat(width - digits.length()) + digits;
    }
}
