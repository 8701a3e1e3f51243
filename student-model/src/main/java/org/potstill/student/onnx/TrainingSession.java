// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.student.errors.StudentErrors;
import org.potstill.student.options.TrainingOptions;

/** An ONNX Runtime session of a {@link TrainingGraph}, with memory for the state. Knows neither ND4J nor Deeplearning4j. Not thread-safe. */
final class TrainingSession implements AutoCloseable {
    private final CausalLmConfig config;
    private final TrainingOptions options;
    private final int chunk;
    private final OrtSession session;
    private final StateBuffers before;
    private final StateBuffers after;
    private final List<String> stateInputs;
    private final List<String> stateOutputs;
    private final List<String> losses;

    /**
     * Losses of each step.
     *
     * @param norms of the gradient, before clipping
     */
    record Losses(double[] divergences, double[] crossEntropies, double[] norms) {
    }

    private TrainingSession(CausalLmConfig config, TrainingOptions options, int chunk, OrtSession session) {
        this.config = config;
        this.options = options;
        this.chunk = chunk;
        this.session = session;
        List<StateTensor> tensors = StateTensor.of(config);
        this.before = new StateBuffers(tensors);
        this.after = new StateBuffers(tensors);
        this.stateInputs = tensors.stream().flatMap(tensor -> TrainingGraph.KINDS.stream().map(kind -> kind + tensor.name())).toList();
        List<String> outputs = List.copyOf(session.getOutputNames());
        this.stateOutputs = outputs.subList(0, stateInputs.size());
        this.losses = outputs.subList(stateInputs.size(), outputs.size());
    }

    /**
     * Opens a session.
     *
     * @param chunk   rows whose logits are held at once
     * @param threads for a session on the CPU
     * @param gpu     number of the GPU; −1 for the CPU
     */
    static TrainingSession open(CausalLmConfig config, TrainingOptions options, LinearProducts.Precision precision, int chunk, int threads, int gpu) {
        byte[] model = TrainingGraph.build(config, options, precision, chunk);
        try (OrtSession.SessionOptions settings = OnnxRuntime.settings(threads)) {
            // Without this, some kernels of the CUDA provider add in any order.
            settings.setDeterministicCompute(true);
            OrtSession session = gpu < 0 ? OnnxRuntime.session(model, settings) : OnnxRuntime.cudaSession(model, settings, gpu);
            return new TrainingSession(config, options, chunk, session);
        } catch (OrtException e) {
            throw StudentErrors.engineFailed("load its graph", e);
        }
    }

    /** Returns the state that {@link #run} reads and overwrites. */
    StateBuffers state() {
        return before;
    }

    /** Takes steps. */
    Losses run(List<StepInputs.Step> steps) {
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        Map<String, OnnxTensor> outputs = new LinkedHashMap<>();
        try {
            inputs.putAll(new StepInputs(config, options, steps, chunk).tensors());
            before.addTo(inputs, stateInputs);
            after.addTo(outputs, stateOutputs);
            Losses values = new Losses(new double[steps.size()], new double[steps.size()], new double[steps.size()]);
            try (OrtSession.Result result = NativeWork.call(() -> session.run(inputs, Set.copyOf(losses), outputs))) {
                read(result, losses.get(0), values.divergences);
                read(result, losses.get(1), values.crossEntropies);
                read(result, losses.get(2), values.norms);
            }
            before.copy(after);
            return values;
        } catch (OrtException e) {
            throw StudentErrors.engineFailed("take " + steps.size() + " steps", e);
        } finally {
            inputs.values().forEach(OnnxTensor::close);
            outputs.values().forEach(OnnxTensor::close);
        }
    }

    private static void read(OrtSession.Result result, String name, double[] values) {
        ((OnnxTensor) result.get(name).orElseThrow()).getDoubleBuffer().get(values);
    }

    @Override
    public void close() {
        before.close();
        after.close();
        try {
            session.close();
        } catch (OrtException e) {
            throw StudentErrors.engineFailed("close its session", e);
        }
    }
}
