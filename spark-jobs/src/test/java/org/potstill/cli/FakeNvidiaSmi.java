// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** An nvidia-smi that lists GPUs which are not there. */
final class FakeNvidiaSmi {
    private FakeNvidiaSmi() {
    }

    /** @return the folder to put first on the PATH */
    static Path write(Path folder, int gpus) throws IOException {
        StringBuilder script = new StringBuilder("""
                #!/bin/sh
                [ "$*" = '--query-gpu=index,uuid --format=csv,noheader' ] || exit 6
                """);
        for (int i = 0; i < gpus; i++) {
            script.append("echo '").append(i).append(", GPU-").append(i).append("1c3f0a2-0d3b-4c1d-9a55-4a6f0e2b7c9").append(i).append("'\n");
        }
        if (gpus == 0) {
            script.append("echo 'No devices were found'\nexit 6\n");
        }
        Path file = Files.createDirectories(folder).resolve("nvidia-smi");
        Files.writeString(file, script);
        if (!file.toFile().setExecutable(true)) {
            throw new IOException("cannot make " + file + " executable");
        }
        return folder;
    }
}
