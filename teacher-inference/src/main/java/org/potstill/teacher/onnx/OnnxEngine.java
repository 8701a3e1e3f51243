// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.teacher.scoring.EngineOutOfMemory;
import org.potstill.teacher.scoring.GpuDiagnosis;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TokenBatch;

/** An ONNX Runtime session with its inputs and outputs. Not thread-safe. */
public final class OnnxEngine implements AutoCloseable {
    private final OrtSession session;
    private final TeacherOptions.Device device;
    private final int gpu;
    private final PassBuffers ownBuffers = new PassBuffers();

    private OnnxEngine(OrtSession session, TeacherOptions.Device device, int gpu) {
        this.session = session;
        this.device = device;
        this.gpu = gpu;
    }

    public static void requireDevice(TeacherOptions.Device device) {
        if (device == TeacherOptions.Device.CUDA && !OnnxRuntime.hasCuda()) {
            throw TeacherErrors.noCudaBuild();
        }
    }

    /**
     * Opens a session on the device of the options; AUTO falls back to the CPU.
     *
     * @param model   a serialised ONNX model
     * @param weights folder of the model's external data
     * @throws org.potstill.errors.UserException if the device cannot be used or the model cannot be loaded
     */
    public static OnnxEngine open(byte[] model, Path weights, TeacherOptions options) {
        requireDevice(options.device());
        if (options.device() != TeacherOptions.Device.CPU && OnnxRuntime.hasCuda()) {
            try {
                return new OnnxEngine(cudaSession(model, weights, options), TeacherOptions.Device.CUDA, options.gpu());
            } catch (OrtException e) {
                if (options.device() == TeacherOptions.Device.CUDA) {
                    throw TeacherErrors.noUsableGpu(options.gpu(), e);
                }
            }
        }
        try {
            return new OnnxEngine(session(model, weights, options.threads()), TeacherOptions.Device.CPU, options.gpu());
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("load its model", e);
        }
    }

    /** Opens a session on the CPU. */
    public static OrtSession session(byte[] model, Path weights, int threads) throws OrtException {
        try (OrtSession.SessionOptions settings = settings(weights, threads)) {
            return OnnxRuntime.session(model, settings);
        }
    }

    private static OrtSession cudaSession(byte[] model, Path weights, TeacherOptions options) throws OrtException {
        try (OrtSession.SessionOptions settings = settings(weights, options.threads())) {
            return OnnxRuntime.cudaSession(model, settings, options.gpu());
        }
    }

    private static OrtSession.SessionOptions settings(Path weights, int threads) throws OrtException {
        OrtSession.SessionOptions settings = OnnxRuntime.settings(threads);
        settings.addConfigEntry("session.model_external_initializers_file_folder_path", weights.toString());
        return settings;
    }

    TeacherOptions.Device device() {
        return device;
    }

    /** Runs a graph with inputs and outputs of its own; callers close the result. */
    public OrtSession.Result run(Map<String, OnnxTensor> inputs, Set<String> outputs) throws OrtException {
        return NativeWork.call(() -> session.run(inputs, outputs));
    }

    private void run(Map<String, OnnxTensor> inputs, Map<String, OnnxTensor> outputs) throws OrtException {
        NativeWork.call(() -> session.run(inputs, outputs)).close();
    }

    /**
     * Runs a pass, whose results {@link ScoringPass#read} then returns.
     *
     * @throws EngineOutOfMemory if the batch does not fit into memory
     */
    public void run(ScoringPass pass) {
        Map<String, OnnxTensor> inputs = Map.of();
        Map<String, OnnxTensor> outputs = Map.of();
        try {
            inputs = pass.inputs();
            outputs = pass.outputs();
            run(inputs, outputs);
        } catch (OrtException e) {
            throw failed("score " + pass, e);
        } finally {
            close(inputs);
            close(outputs);
        }
    }

    /** Computes the logits of a batch's positions, row-major {@code [N, vocabSize]}. */
    float[] logits(TokenBatch batch, int vocabSize) {
        int n = batch.positions();
        FloatBuffer logits = ownBuffers.floats("logits", (long) n * vocabSize);
        Map<String, OnnxTensor> inputs = Map.of();
        Map<String, OnnxTensor> outputs = new LinkedHashMap<>();
        try {
            inputs = ScoringPass.tokens(batch);
            outputs.put(LlamaGraph.LOGITS, ScoringPass.tensor(logits, n, vocabSize));
            run(inputs, outputs);
        } catch (OrtException e) {
            throw failed("compute logits of " + n + " positions", e);
        } finally {
            close(inputs);
            close(outputs);
        }
        float[] values = new float[n * vocabSize];
        logits.get(values);
        return values;
    }

    /** Runs a graph with the {@link LlamaGraph.Ending#CHANNEL_MAXIMA} ending on a batch; returns each output by name. */
    Map<String, float[]> channelMaxima(TokenBatch batch) {
        Map<String, OnnxTensor> inputs = Map.of();
        try {
            inputs = ScoringPass.tokens(batch);
            try (OrtSession.Result outputs = run(inputs, session.getOutputNames())) {
                Map<String, float[]> maxima = new LinkedHashMap<>();
                for (Map.Entry<String, OnnxValue> output : outputs) {
                    maxima.put(output.getKey(), (float[]) output.getValue().getValue());
                }
                return maxima;
            }
        } catch (OrtException e) {
            throw failed("read the calibration text", e);
        } finally {
            close(inputs);
        }
    }

    /** Converts an error of the engine. A GPU without compiled kernels passes all checks until the first kernel launch. */
    public RuntimeException failed(String what, OrtException e) {
        if (GpuDiagnosis.isOutOfMemory(e.getMessage())) {
            return new EngineOutOfMemory(e);
        }
        return device == TeacherOptions.Device.CUDA && String.valueOf(e.getMessage()).contains("o kernel image")
                ? TeacherErrors.noUsableGpu(gpu, e) : TeacherErrors.engineFailed(what, e);
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("close its session", e);
        }
    }

    private static void close(Map<String, OnnxTensor> tensors) {
        tensors.values().forEach(OnnxTensor::close);
    }
}
