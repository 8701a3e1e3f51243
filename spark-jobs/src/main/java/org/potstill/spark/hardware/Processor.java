// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** This machine's CPU. */
public final class Processor {
    private Processor() {
    }

    /** Returns the name of its model; empty if unknown. */
    public static String name() {
        try {
            return Files.readAllLines(Path.of("/proc/cpuinfo")).stream().filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).trim()).findFirst().orElse("");
        } catch (IOException e) {
            return "";
        }
    }
}
