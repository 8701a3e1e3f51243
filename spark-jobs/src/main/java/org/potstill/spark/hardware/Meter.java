// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.io.Serializable;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.kernels.CpuPeak;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a model needs, and the peak of the device that it runs on in a task: the one that the settings give; otherwise a GPU's by
 * its name, and a CPU's as measured, once per process.
 *
 * @param model      operations of the model
 * @param arithmetic numbers in which it computes
 * @param threads    threads of an executor that compute at the same time
 * @param own        number of them that compute for one task
 * @param told       the peak that the settings give, in TFLOP/s; 0 for none
 */
public record Meter(ModelFlops model, Arithmetic arithmetic, int threads, int own, double told) implements Serializable {
    private static final Logger LOG = LoggerFactory.getLogger(Meter.class);
    private static final double TERA = 1e12;
    private static final String CPU = Processor.name().isEmpty() ? "CPU" : Processor.name();
    private static final Map<Arithmetic, Map<Integer, Double>> MEASURED = new EnumMap<>(Arithmetic.class);
    private static String gpu;

    /** Returns the peak of a task's device; the first call in a process takes some tenths of a second, and others wait for it. */
    public DevicePeak peak(boolean onGpu) {
        return onGpu ? ofGpu(gpuName()) : ofCpu();
    }

    DevicePeak ofGpu(String name) {
        double known = GpuModel.find(name).map(model -> model.peak(arithmetic)).orElse(Double.NaN);
        return new DevicePeak(name + ", " + arithmetic, (told > 0 ? told : known) * TERA);
    }

    private DevicePeak ofCpu() {
        String device = CPU + ", " + own + (own == 1 ? " thread, " : " threads, ") + arithmetic;
        double all = told > 0 ? told * TERA : measured(arithmetic, threads);
        return new DevicePeak(told > 0 ? device : device + ", measured", all * own / threads);
    }

    private static synchronized double measured(Arithmetic arithmetic, int threads) {
        return MEASURED.computeIfAbsent(arithmetic, key -> new HashMap<>()).computeIfAbsent(threads, key -> measure(arithmetic, threads));
    }

    private static double measure(Arithmetic arithmetic, int threads) {
        try {
            return arithmetic.onCpu() == null ? Double.NaN : CpuPeak.measure(threads, arithmetic.onCpu()).orElse(Double.NaN);
        } catch (RuntimeException | LinkageError e) {
            // A figure is not worth a job.
            LOG.warn("the peak of this CPU cannot be measured", e);
            return Double.NaN;
        }
    }

    private static synchronized String gpuName() {
        if (gpu == null) {
            gpu = NvidiaSmi.gpu("nvidia-smi");
        }
        return gpu;
    }
}
