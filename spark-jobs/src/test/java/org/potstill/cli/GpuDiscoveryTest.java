// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real deploy/gpu-discovery.sh. */
class GpuDiscoveryTest {
    private static final Path SCRIPT = Path.of("..", "deploy", "gpu-discovery.sh").toAbsolutePath().normalize();

    @TempDir
    private Path folder;

    private record Outcome(int status, String out, String err) {
    }

    private Outcome run(String path, Map<String, String> environment) throws Exception {
        ProcessBuilder builder = new ProcessBuilder("/bin/bash", SCRIPT.toString());
        builder.environment().clear();
        builder.environment().put("PATH", path);
        builder.environment().putAll(environment);
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(20, TimeUnit.SECONDS));
        return new Outcome(process.exitValue(), out, err);
    }

    private String addresses(int gpus, Map<String, String> environment) throws Exception {
        Outcome outcome = run(FakeNvidiaSmi.write(folder, gpus).toString(), environment);
        assertEquals(0, outcome.status(), outcome.err());
        assertTrue(outcome.out().startsWith("{\"name\":\"gpu\",\"addresses\":[") && outcome.out().endsWith("]}\n"), outcome.out());
        return outcome.out().replaceAll(".*\\[|\\].*|\\s|\"", "");
    }

    private void refused(String saying, int gpus, Map<String, String> environment) throws Exception {
        Outcome outcome = run(FakeNvidiaSmi.write(folder, gpus).toString(), environment);
        assertEquals(1, outcome.status());
        assertEquals("", outcome.out());
        assertTrue(outcome.err().contains(saying), outcome.err());
    }

    @Test
    void allGpusOfTheMachineAreNumbered() throws Exception {
        assertEquals("0", addresses(1, Map.of()));
        assertEquals("0,1,2,3", addresses(4, Map.of()));
        assertEquals("0,1", addresses(2, Map.of("NVIDIA_VISIBLE_DEVICES", "all")));
    }

    @Test
    void ofHiddenGpusOnlyTheVisibleOnesCountAsCudaCounts() throws Exception {
        assertEquals("0,1", addresses(4, Map.of("CUDA_VISIBLE_DEVICES", "2,3")));
        assertEquals("0", addresses(4, Map.of("CUDA_VISIBLE_DEVICES", "GPU-21c3f0a2")));
        assertEquals("0", addresses(1, Map.of("CUDA_VISIBLE_DEVICES", "MIG-5c89852c-d268-c3f3-1b07-005d5ae1dc3f")));
        assertEquals("0", addresses(4, Map.of("CUDA_VISIBLE_DEVICES", "1, 7, 2")), "CUDA stops at the first that is none");
    }

    @Test
    void aMachineWithoutGpusIsRefusedWithTheReason() throws Exception {
        Outcome none = run(folder.resolve("empty").toString(), Map.of());
        assertEquals(1, none.status());
        assertTrue(none.err().contains("no nvidia-smi"), none.err());
        refused("No devices were found", 0, Map.of());
        refused("CUDA_VISIBLE_DEVICES='' leaves none of the 2 GPUs", 2, Map.of("CUDA_VISIBLE_DEVICES", ""));
        refused("CUDA_VISIBLE_DEVICES='-1' leaves none", 2, Map.of("CUDA_VISIBLE_DEVICES", "-1"));
        refused("NVIDIA_VISIBLE_DEVICES=none", 2, Map.of("NVIDIA_VISIBLE_DEVICES", "none"));
    }
}
