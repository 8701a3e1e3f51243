// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.io.Serializable;
import java.util.List;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.spark.Cluster;
import org.potstill.spark.hardware.DevicePeak;
import org.potstill.spark.hardware.Meter;
import org.potstill.spark.train.exchange.Exchange;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingEngine;

/**
 * Use that a worker made of devices and network in a round.
 *
 * @param device   key of the device: each worker has cores of its own, but workers may share a GPU
 * @param peak     of the device
 * @param flops    model FLOPs of its steps
 * @param received bytes that its executor received from others since the last worker's result
 * @param waited   seconds that it waited for the round's initial state
 */
record WorkerUse(String device, DevicePeak peak, double flops, long received, double waited) implements Serializable {
    /** Returns the peak of the calling task's device, see {@link Meter#peak}. */
    static DevicePeak peak(WorkerSetup setup) {
        return setup.meter().peak(isOnGpu(setup));
    }

    private static boolean isOnGpu(WorkerSetup setup) {
        return setup.engine() == TrainingEngine.ONNX ? OnnxRuntime.hasCuda() : Student.simd().isEmpty();
    }

    /**
     * Returns the calling task's use.
     *
     * @param run id of the training run
     */
    static WorkerUse of(WorkerSetup setup, String run, int worker, DevicePeak peak, double flops, double waited) {
        Exchange exchange = Exchange.get();
        String device = isOnGpu(setup) ? exchange.address() + " " + Cluster.gpuOfTask().orElse(0) : String.valueOf(worker);
        return new WorkerUse(device, peak, flops, exchange.takeReceived(run), waited);
    }

    /**
     * Returns the model FLOPs of steps.
     *
     * @param lengths number of positions of each sequence
     */
    static double flops(Meter meter, List<Integer> lengths) {
        return lengths.stream().mapToDouble(meter.model()::training).sum();
    }
}
