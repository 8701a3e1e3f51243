// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.nd4j.Nd4jRuntime;

class GemmTest {
    /** Blocks of larger matrices, as heads and parts of a vocabulary are. */
    @ParameterizedTest
    @CsvSource({"1, 1, 1", "3, 5, 7", "64, 33, 130", "128, 64, 128", "16, 300, 2"})
    void oneDnnComputesWhatBlasDoes(int m, int n, int k) {
        assertTrue(OneDnn.isAvailable());
        Nd4jRuntime.setThreads(1);
        Random random = new Random(m);
        for (boolean transposeA : new boolean[] {false, true}) {
            for (boolean transposeB : new boolean[] {false, true}) {
                if (transposeA && transposeB) {
                    continue;
                }
                Matrix a = transposeA ? random(random, k, m) : random(random, m, k);
                Matrix b = transposeB ? random(random, n, k) : random(random, k, n);
                for (double beta : new double[] {0, 1}) {
                    Matrix expected = random(new Random(9), m, n);
                    Matrix computed = random(new Random(9), m, n);
                    Gemm.blas(m, n, k, a, transposeA, b, transposeB, expected, beta);
                    if (transposeA) {
                        Products.exact().transposedTimes(a, b, computed, beta);
                    } else if (transposeB) {
                        Products.exact().timesTransposed(a, b, computed, beta);
                    } else {
                        Products.exact().times(a, b, computed, beta);
                    }
                    for (int i = 0; i < m; i++) {
                        for (int j = 0; j < n; j++) {
                            assertEquals(expected.floats().get(expected.index(i, j)), computed.floats().get(computed.index(i, j)), 1e-4);
                        }
                    }
                }
            }
        }
    }

    private static Matrix random(Random random, int rows, int columns) {
        Matrix all = Matrix.allocate(DataType.FLOAT, rows + 2, columns + 3);
        for (int i = 0; i < (rows + 2) * (columns + 3); i++) {
            all.floats().put(i, (float) random.nextGaussian());
        }
        return all.block(1, rows + 1, 2, columns + 2);
    }
}
