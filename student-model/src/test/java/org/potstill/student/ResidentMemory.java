// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What this process holds of the machine's memory, in KiB, as Linux counts it. */
public final class ResidentMemory {
    private ResidentMemory() {
    }

    static long now() throws IOException {
        return status("VmRSS");
    }

    /** Since the start, or since {@link #forgetPeak}. */
    public static long peak() throws IOException {
        return status("VmHWM");
    }

    static void forgetPeak() throws IOException {
        Files.writeString(Path.of("/proc/self/clear_refs"), "5");
    }

    private static long status(String key) throws IOException {
        return Long.parseLong(Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith(key))
                .findFirst().orElseThrow().replaceAll("\\D", ""));
    }
}
