// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The name of this machine's GPUs, from the driver's nvidia-smi. */
final class NvidiaSmi {
    private static final Logger LOG = LoggerFactory.getLogger(NvidiaSmi.class);
    private static final String UNKNOWN = "a GPU without a known name";
    private static final int SECONDS = 20;
    private static final int MAX_BYTES = 1 << 16;

    private NvidiaSmi() {
    }

    /**
     * Returns the name that all GPUs share; otherwise words that say why there is none: it is not known which of them a process uses, nor
     * how large a MIG partition is.
     *
     * @param command name or path of nvidia-smi
     */
    static String gpu(String command) {
        try {
            // What it writes is little: it cannot wait for a reader.
            Process process = new ProcessBuilder(command, "--query-gpu=name,mig.mode.current", "--format=csv,noheader")
                    .redirectError(ProcessBuilder.Redirect.DISCARD).start();
            if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return UNKNOWN;
            }
            return name(new String(process.getInputStream().readNBytes(MAX_BYTES), StandardCharsets.UTF_8));
        } catch (IOException e) {
            LOG.debug("no {}", command, e);
            return UNKNOWN;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return UNKNOWN;
        }
    }

    private static String name(String listing) {
        List<String> gpus = listing.lines().map(String::strip).filter(line -> line.contains(",")).distinct().toList();
        if (gpus.size() != 1) {
            return gpus.isEmpty() ? UNKNOWN : "one of several kinds of GPU";
        }
        int end = gpus.get(0).lastIndexOf(',');
        boolean shared = gpus.get(0).substring(end + 1).strip().equals("Enabled");
        return shared ? "a MIG partition" : gpus.get(0).substring(0, end).strip();
    }
}
