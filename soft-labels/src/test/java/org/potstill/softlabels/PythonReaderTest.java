// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;

/** The decoder in python/ does what this module's does, with the same bytes. */
class PythonReaderTest {
    private static final int[] VOCABULARIES = {1, 2, 3, 17, 300, 5000, 49152};
    private static final int LARGE = TokenPrior.MAX_VOCABULARY;
    private static final int SECONDS = 300;
    /** Priors of a vocabulary: without a file, of a corpus, and of one where only one token occurs. */
    private static final Map<Integer, List<TokenPrior>> PRIORS = new HashMap<>();

    @TempDir
    private Path folder;

    /** Targets as they are encoded. */
    private record Row(TargetSpec spec, int vocabSize, int[] tokens, byte[] bytes) {
        static Row random(Random random) {
            int vocabSize = random.nextInt(100) == 0 ? LARGE : VOCABULARIES[random.nextInt(VOCABULARIES.length)];
            boolean large = random.nextInt(200) == 0;
            int k = 1 + random.nextInt(large ? TargetSpec.MAX_K : 9);
            int draws = 1 + random.nextInt(large ? TargetSpec.MAX_DRAWS : random.nextBoolean() ? 9 : 30);
            int kind = random.nextInt(3);
            TargetSpec spec = new TargetSpec(kind == 0 ? 0 : k, kind == 1 ? 0 : draws, 1);
            RandomTargets made = RandomTargets.of(random, spec, vocabSize, random.nextInt(large ? 3 : 14));
            List<TokenPrior> priors = PRIORS.get(vocabSize);
            SoftTargetsCodec codec = new SoftTargetsCodec(spec, vocabSize, priors.get(random.nextInt(priors.size())));
            return new Row(spec, vocabSize, made.tokens(), codec.encode(made.tokens(), made.targets()));
        }

        Row damaged(Random random) {
            byte[] bad = bytes.clone();
            int[] otherTokens = tokens.clone();
            int what = random.nextInt(8);
            if (what == 0) {
                bad = Arrays.copyOf(bad, random.nextInt(bad.length));
            } else if (what == 1) {
                bad = Arrays.copyOf(bad, bad.length + 4 * random.nextInt(6) - 8);
            } else if (what == 2) {
                otherTokens[random.nextInt(tokens.length)] = random.nextInt(vocabSize + 2) - 1;
            } else if (what == 3) {
                otherTokens = Arrays.copyOf(tokens, random.nextInt(tokens.length + 2));
            } else {
                for (int flips = random.nextInt(4); flips >= 0; flips--) {
                    int from = random.nextInt(3) == 0 ? 0 : SoftTargetsCodec.HEADER_BYTES;
                    bad[from + random.nextInt(bad.length - from)] ^= (byte) (1 << random.nextInt(8));
                }
            }
            if (bad.length > SoftTargetsCodec.CHECKSUM_BYTES && random.nextInt(4) > 0) {
                CRC32C crc = new CRC32C();
                crc.update(bad, 0, bad.length - SoftTargetsCodec.CHECKSUM_BYTES);
                ByteBuffer.wrap(bad).putInt(bad.length - SoftTargetsCodec.CHECKSUM_BYTES, (int) crc.getValue());
            }
            return new Row(spec, vocabSize, otherTokens, bad);
        }

        /** Writes the row and what Java decodes. @return whether Java decodes it */
        boolean write(DataOutputStream out) throws IOException {
            writeInts(out, spec.k(), spec.draws(), vocabSize, tokens.length);
            writeInts(out, tokens);
            out.writeInt(bytes.length);
            out.write(bytes);
            SoftTargets targets;
            try {
                List<TokenPrior> priors = PRIORS.get(vocabSize);
                targets = new SoftTargetsCodec(spec, vocabSize, priors.get(0), priors).decode(tokens, bytes);
            } catch (UserException e) {
                out.writeInt(0);
                return false;
            }
            out.writeInt(1);
            for (int t = 0; t < targets.positions(); t++) {
                out.writeInt(targets.end(t) - targets.begin(t));
            }
            for (int t = 0; t < targets.positions(); t++) {
                writeInts(out, Arrays.copyOfRange(targets.ids(), targets.begin(t), targets.end(t)));
                for (int i = targets.begin(t); i < targets.end(t); i++) {
                    out.writeInt(Float.floatToRawIntBits(targets.probabilities()[i]));
                }
            }
            return true;
        }
    }

    @BeforeAll
    static void makePriors() {
        for (int vocabSize : VOCABULARIES) {
            long[] one = new long[vocabSize];
            one[vocabSize / 2] = 1L << 40;
            PRIORS.put(vocabSize, List.of(TokenPrior.none(vocabSize),
                    TokenPrior.of(SoftTargetsCodecTest.counts(new Random(vocabSize), vocabSize)), TokenPrior.of(one)));
        }
        PRIORS.put(LARGE, List.of(TokenPrior.none(LARGE), TokenPrior.of(SoftTargetsCodecTest.counts(new Random(LARGE), LARGE))));
    }

    @Test
    void pythonDecodesTenThousandRowsOfAllKindsToTheSameBits() throws Exception {
        Path file = folder.resolve("rows");
        int priors;
        try (DataOutputStream out = create(file)) {
            priors = writePriors(out);
            out.writeInt(10_000);
            for (int seed = 0; seed < 10_000; seed++) {
                assertTrue(Row.random(new Random(seed)).write(out));
            }
        }
        assertEquals(priors + " priors, 10000 rows", compare(file));
    }

    @Test
    void pythonRefusesTheDamagedRowsThatJavaRefusesAndSaysSo() throws Exception {
        Path file = folder.resolve("damaged");
        int priors;
        int decoded = 0;
        int all = 3000;
        try (DataOutputStream out = create(file)) {
            priors = writePriors(out);
            out.writeInt(all);
            for (int seed = 0; seed < all; seed++) {
                Random random = new Random(seed);
                decoded += Row.random(random).damaged(random).write(out) ? 1 : 0;
            }
        }
        assertTrue(decoded < all / 4, decoded + " of " + all + " damaged rows decode");
        assertEquals(priors + " priors, " + (all - decoded) + " refused rows, " + decoded + " rows", compare(file));
    }

    @Test
    void pythonReadsThePriorsThatJavaReadsAndNoOthers() throws Exception {
        Path file = folder.resolve("priors");
        int all = 2000;
        int read = 0;
        try (DataOutputStream out = create(file)) {
            out.writeInt(all);
            for (int seed = 0; seed < all; seed++) {
                Random random = new Random(seed);
                int vocabSize = 1 + random.nextInt(300);
                byte[] bytes = TokenPrior.of(SoftTargetsCodecTest.counts(random, vocabSize)).bytes();
                bytes = random.nextInt(3) > 0 ? bytes : Arrays.copyOf(bytes, Math.max(0, bytes.length + random.nextInt(17) - 12));
                if (random.nextInt(4) > 0 && bytes.length > 0) {
                    bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
                }
                read += writePrior(out, bytes, random.nextInt(9) == 0 ? vocabSize + 1 : vocabSize) ? 1 : 0;
            }
            out.writeInt(0);
        }
        assertTrue(read > all / 10 && read < all / 2, read + " of " + all + " can be read");
        assertEquals(read + " priors, " + (all - read) + " refused priors", compare(file));
    }

    private static DataOutputStream create(Path file) throws IOException {
        return new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)));
    }

    private static void writeInts(DataOutputStream out, int... numbers) throws IOException {
        for (int number : numbers) {
            out.writeInt(number);
        }
    }

    /** Writes the priors that have a file. @return how many there are */
    private static int writePriors(DataOutputStream out) throws IOException {
        List<TokenPrior> priors = new ArrayList<>();
        PRIORS.values().forEach(each -> priors.addAll(each.subList(1, each.size())));
        out.writeInt(priors.size());
        for (TokenPrior prior : priors) {
            assertTrue(writePrior(out, prior.bytes(), prior.vocabSize()));
        }
        return priors.size();
    }

    /** Writes a prior and the weights that Java reads from it. @return whether Java reads it */
    private static boolean writePrior(DataOutputStream out, byte[] bytes, int vocabSize) throws IOException {
        writeInts(out, vocabSize, bytes.length);
        out.write(bytes);
        int[] weights;
        try {
            weights = TokenPrior.read(bytes, vocabSize).weights();
        } catch (UserException e) {
            out.writeInt(0);
            return false;
        }
        out.writeInt(1);
        writeInts(out, weights);
        return true;
    }

    /** Compares a file's cases with what Python decodes. @return what was compared */
    private String compare(Path file) throws IOException, InterruptedException {
        assumeTrue(succeeds("-c", "import sys; sys.exit(sys.version_info < (3, 9))"),
                "no python3 of version 3.9 or later is on the PATH: the decoder in python/ remains untested");
        boolean equal = succeeds("-B", "src/test/resources/compare_with_java.py", file.toString());
        String said = Files.readString(log());
        assertTrue(equal, said.length() > 2000 ? said.substring(0, 2000) + "…" : said);
        return said.strip();
    }

    private boolean succeeds(String... arguments) throws InterruptedException {
        List<String> command = new ArrayList<>(List.of("python3"));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log().toFile());
        builder.environment().put("PYTHONPATH", Path.of("..", "python").toAbsolutePath().toString());
        Process python;
        try {
            python = builder.start();
        } catch (IOException e) {
            return false;
        }
        try {
            assertTrue(python.waitFor(SECONDS, TimeUnit.SECONDS), "python3 is not done after " + SECONDS + " s");
            return python.exitValue() == 0;
        } finally {
            python.destroyForcibly();
        }
    }

    private Path log() {
        return folder.resolve("log");
    }
}
