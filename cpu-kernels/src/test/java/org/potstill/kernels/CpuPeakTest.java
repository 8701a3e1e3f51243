// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.OptionalDouble;
import java.util.Random;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.junit.jupiter.api.Test;

class CpuPeakTest {
    @Test
    void whatIsMeasuredIsSomeSpeedWhereverTheNumbersAreSupported() {
        for (CpuPeak.Numbers numbers : CpuPeak.Numbers.values()) {
            boolean supported = numbers != CpuPeak.Numbers.BF16 || OneDnn.canUseBf16();
            OptionalDouble measured = CpuPeak.measure(2, numbers);
            assertEquals(supported, measured.isPresent(), numbers.name());
            measured.ifPresent(peak -> assertTrue(peak > 1e8 && peak < 1e16, numbers + ": " + peak));
        }
    }

    @Test
    void productsOfBytesAreThoseOfANaiveLoop() {
        int m = 5;
        int n = 7;
        int k = 33;
        Random random = new Random(1);
        byte[] a = new byte[m * k];
        byte[] b = new byte[k * n];
        random.nextBytes(a);
        random.nextBytes(b);
        for (int i = 0; i < a.length; i++) {
            // Products of larger ones may saturate on a CPU without VNNI.
            a[i] &= 0x3f;
        }
        int[] c = new int[m * n];
        try (BytePointer first = new BytePointer(a); BytePointer second = new BytePointer(b); IntPointer product = new IntPointer((long) m * n)) {
            OneDnn.igemm(m, n, k, first.address(), second.address(), product.address());
            product.get(c);
        }
        for (int row = 0; row < m; row++) {
            for (int column = 0; column < n; column++) {
                int sum = 0;
                for (int i = 0; i < k; i++) {
                    sum += (a[row * k + i] & 0xff) * b[i * n + column];
                }
                assertEquals(sum, c[row * n + column]);
            }
        }
    }
}
