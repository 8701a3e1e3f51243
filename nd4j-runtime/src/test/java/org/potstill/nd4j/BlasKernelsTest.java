// SPDX-License-Identifier: Apache-2.0
package org.potstill.nd4j;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

final class BlasKernelsTest {
    @Test
    void kernelsAreChosenByWhatTheProcessorCanDo() {
        assertEquals("SkylakeX", BlasKernels.kernels(List.of("vendor_id\t: GenuineIntel",
                "flags\t\t: fpu avx2 fma avx512f avx512dq avx512cd avx512bw avx512vl")));
        assertEquals("Haswell", BlasKernels.kernels(List.of("flags\t\t: fpu avx2 fma avx512f")));
        assertEquals("Zen", BlasKernels.kernels(List.of("vendor_id\t: AuthenticAMD", "flags : avx2 fma")));
        assertEquals(null, BlasKernels.kernels(List.of("flags : fpu sse2")));
    }
}
