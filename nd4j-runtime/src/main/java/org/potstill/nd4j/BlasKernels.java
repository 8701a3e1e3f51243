// SPDX-License-Identifier: Apache-2.0
package org.potstill.nd4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The choice of OpenBLAS's kernels, to be made before it is loaded. ND4J 1.0.0-M2.1 bundles OpenBLAS 0.3.19, which
 * identifies CPUs by model number, takes newer ones (such as Emerald Rapids) for a Prescott of 2004 and then multiplies
 * matrices four times slower.
 */
final class BlasKernels {
    private static final String VARIABLE = "OPENBLAS_CORETYPE";

    private BlasKernels() {
    }

    /** Chooses kernels for this CPU; without effect once OpenBLAS is loaded. A value set by the user is kept. */
    static void choose() {
        String kernels = NativeEnvironment.has(VARIABLE) ? null : kernels(cpuInfo());
        if (kernels != null) {
            NativeEnvironment.set(VARIABLE, kernels);
        }
    }

    /** Returns the CPU's instruction-set flags; empty if they cannot be read. */
    static Set<String> flags() {
        return flags(cpuInfo());
    }

    /** Returns Linux's description of the CPU; empty if it cannot be read, which is slower but safe. */
    private static List<String> cpuInfo() {
        try {
            return Files.readAllLines(Path.of("/proc/cpuinfo"));
        } catch (IOException e) {
            return List.of();
        }
    }

    private static Set<String> flags(List<String> cpuInfo) {
        Set<String> flags = new HashSet<>();
        for (String line : cpuInfo) {
            if (line.startsWith("flags")) {
                flags.addAll(Arrays.asList(line.substring(line.indexOf(':') + 1).trim().split("\\s+")));
            }
        }
        return flags;
    }

    /** Returns OpenBLAS's name of the kernels for a CPU, or null to leave the choice to OpenBLAS. */
    static String kernels(List<String> cpuInfo) {
        Set<String> flags = flags(cpuInfo);
        boolean amd = cpuInfo.stream().anyMatch(line -> line.startsWith("vendor_id") && line.contains("AuthenticAMD"));
        if (flags.containsAll(List.of("avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl")) && !amd) {
            return "SkylakeX";
        }
        if (flags.containsAll(List.of("avx2", "fma"))) {
            return amd ? "Zen" : "Haswell";
        }
        return null;
    }
}
