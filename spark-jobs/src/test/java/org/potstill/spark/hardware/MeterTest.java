// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.spark.settings.Settings;

class MeterTest {
    private static final ModelFlops MODEL = new ModelFlops(1000, 8, 2, 0, 0);

    @TempDir
    private Path folder;

    private static Meter meter(Arithmetic arithmetic, double told) {
        return new Meter(MODEL, arithmetic, 2, 1, told);
    }

    @ParameterizedTest
    @CsvSource({"NVIDIA H100 80GB HBM3, 989, 67", "NVIDIA H100 PCIe, 756, 51", "NVIDIA H100 NVL, 835, 60", "NVIDIA H200, 989, 67", "NVIDIA A100-SXM4-40GB, 312, 19.5",
        "NVIDIA A100 80GB PCIe, 312, 19.5", "NVIDIA A10, 125, 31.2", "NVIDIA A10G, 70, 31.5", "NVIDIA L4, 121, 30.3", "NVIDIA L40S, 362, 91.6", "Tesla T4, 65, 8.1",
        "Tesla V100-SXM2-16GB, 125, 15.7", "Tesla V100-PCIE-32GB, 112, 14"})
    void thePeakOfAGpuIsKnownByItsName(String name, double fp16, double fp32) {
        assertEquals(new DevicePeak(name + ", fp16", fp16 * 1e12), meter(Arithmetic.FP16, 0).ofGpu(name));
        assertEquals(fp32 * 1e12, meter(Arithmetic.FP32, 0).ofGpu(name).flops());
    }

    @ParameterizedTest
    @CsvSource({"NVIDIA GeForce RTX 4090", "NVIDIA L40", "NVIDIA A1000", "a MIG partition", "GRID P100"})
    void anUnknownGpuHasNoPeakUnlessTheSettingsGiveIt(String name) {
        assertTrue(Double.isNaN(meter(Arithmetic.FP16, 0).ofGpu(name).flops()));
        assertEquals(165e12, meter(Arithmetic.FP16, 165).ofGpu(name).flops());
    }

    @Test
    void aTaskHasItsShareOfTheProcessorsPeak() {
        Meter one = meter(Arithmetic.FP32, 0);
        DevicePeak measured = one.peak(false);
        assertTrue(measured.flops() > 1e8 && measured.device().endsWith("1 thread, fp32, measured"), measured.toString());
        assertEquals(2 * measured.flops(), new Meter(MODEL, Arithmetic.FP32, 2, 2, 0).peak(false).flops(), "measured once");
        assertEquals(2e12, meter(Arithmetic.FP32, 4).peak(false).flops());
        assertTrue(Double.isNaN(meter(Arithmetic.FP16, 0).peak(false).flops()), "no CPU computes in it");
    }

    private String gpu(String... lines) throws IOException {
        Path file = folder.resolve("nvidia-smi");
        Files.writeString(file, "#!/bin/sh\n[ \"$*\" = '--query-gpu=name,mig.mode.current --format=csv,noheader' ] || exit 6\ncat <<'END'\n" + String.join("\n", lines)
                + "\nEND\n");
        assertTrue(file.toFile().setExecutable(true));
        return NvidiaSmi.gpu(file.toString());
    }

    @Test
    void theNameOfAGpuIsTheDriversWhereThereIsOneKindOfThem() throws IOException {
        assertEquals("NVIDIA L4", gpu("NVIDIA L4, [N/A]", "NVIDIA L4, [N/A]"));
        assertEquals("NVIDIA H100 80GB HBM3", gpu("NVIDIA H100 80GB HBM3, Disabled"));
        assertEquals("a MIG partition", gpu("NVIDIA H100 80GB HBM3, Enabled"));
        assertEquals("one of several kinds of GPU", gpu("Tesla T4, [N/A]", "NVIDIA L4, [N/A]"));
        assertEquals("a GPU without a known name", gpu("No devices were found"));
        assertEquals("a GPU without a known name", NvidiaSmi.gpu(folder.resolve("none").toString()));
    }

    @Test
    void theShareIsOfAllDevicesTimeAndUnknownWithThePeakOfAnyOfThem() {
        DeviceWork fast = DeviceWork.of(6e12, 2, new DevicePeak("fast", 4e12));
        DeviceWork slow = DeviceWork.of(0, 2, new DevicePeak("slow", 1e12));
        DeviceShare share = DeviceShare.of(fast.plus(slow));
        assertEquals(new DeviceShare(6e12, 0.6, 2.5e12, Set.of("fast", "slow")), share);
        assertEquals("60.0 % of the peak of 2.5 TFLOP/s (fast; slow)", share.describe(HardwareSettings.TEACHER));
        DeviceShare unknown = DeviceShare.of(fast.plus(DeviceWork.of(1, 1, new DevicePeak("odd", Double.NaN))));
        assertNull(unknown.share());
        assertTrue(unknown.describe(HardwareSettings.TEACHER).contains("peak of fast; odd is: hardware.teacher-tflops gives it"));
        assertNull(DeviceShare.of(DeviceWork.NONE));
    }

    @Test
    void executorsArePaidForTheWholeJob() {
        HardwareSettings settings = HardwareSettings.of(Settings.load(List.of(), List.of("hardware.price-per-hour=0.5")));
        Cost cost = settings.cost(4, 1800, 3_000_000);
        assertEquals(2, cost.executorHours());
        assertEquals(1, cost.total());
        assertEquals(1 / 3.0, cost.perMillionTokens(), 1e-12);
        assertEquals("0.333 per million tokens, 1 for 2 hours of executors", cost.describe());
        assertNull(settings.cost(4, 1800, 0));
        assertNull(HardwareSettings.of(Settings.load(List.of(), List.of())).cost(4, 1800, 3_000_000));
    }
}
