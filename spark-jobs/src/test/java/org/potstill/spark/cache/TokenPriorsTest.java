// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.commons.lang3.SerializationUtils;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.softlabels.TokenPrior;
import org.potstill.spark.storage.HadoopFolder;

class TokenPriorsTest {
    private static final TargetSpec SPEC = TargetSpec.systematic(4, 0);
    private static final int[] TOKENS = {1, 2, 3};
    private static final SoftTargets TARGETS = new SoftTargets(new int[] {0, 2, 3}, new int[] {5, 9, 7}, new float[] {0.25f, 0.75f, 1});

    @TempDir
    private Path path;

    private HadoopFolder folder() {
        return new HadoopFolder("cache", path.toString(), new Configuration());
    }

    private static TokenPrior prior(int favourite) {
        long[] counts = new long[100];
        counts[favourite] = 1000;
        return TokenPrior.of(counts);
    }

    /** Executors keep students for as long as they are asked for an equal set-up, of which these are a part. */
    @Test
    void copiesThatTasksGetAreEqualAndOthersAreNot() {
        TokenPriors none = TokenPriors.in(folder(), 100);
        assertTrue(none.isEmpty());
        assertEquals(none, SerializationUtils.clone(none));
        TokenPriors.write(folder(), prior(5));
        TokenPriors one = TokenPriors.in(folder(), 100);
        one.codec(SPEC);
        TokenPriors copy = SerializationUtils.clone(one);
        assertEquals(one, copy);
        assertEquals(one.hashCode(), copy.hashCode());
        assertNotEquals(none, one);
    }

    @Test
    void rowsOfEveryPriorInTheFolderAreRead() {
        TokenPriors.write(folder(), prior(5));
        byte[] first = TokenPriors.in(folder(), 100).codec(SPEC).encode(TOKENS, TARGETS);
        TokenPriors.write(folder(), prior(9));
        TokenPriors both = SerializationUtils.clone(TokenPriors.in(folder(), 100));
        byte[] second = both.codec(SPEC).encode(TOKENS, TARGETS);
        for (byte[] row : new byte[][] {first, second, TokenPriors.none(100).codec(SPEC).encode(TOKENS, TARGETS)}) {
            assertArrayEquals(TARGETS.ids(), both.codec(SPEC).decode(TOKENS, row).ids());
        }
    }

    @Test
    void aDamagedPriorFailsEveryCallAndNotJustTheFirst() throws IOException {
        TokenPriors.write(folder(), prior(5));
        Files.write(path.resolve("priors/ffffffffffffffff.bin"), new byte[3]);
        TokenPriors priors = TokenPriors.in(folder(), 100);
        assertThrows(UserException.class, () -> priors.codec(SPEC));
        assertThrows(UserException.class, () -> priors.codec(SPEC));
    }
}
