package org.potstill.teacher;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtProvider;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.providers.OrtCUDAProviderOptions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.LlamaGraph;
import org.potstill.softlabels.SoftTargets;

/** One ONNX Runtime session and how it is fed and read. For one thread. */
final class OnnxEngine implements AutoCloseable {
    private final OrtSession session;
    private final TeacherOptions.Device device;
    private final int gpu;

    private OnnxEngine(OrtSession session, TeacherOptions.Device device, int gpu) {
        this.session = session;
        this.device = device;
        this.gpu = gpu;
    }

    static void requireDevice(TeacherOptions.Device device) {
        if (device == TeacherOptions.Device.CUDA && !hasCuda()) {
            throw TeacherErrors.noCudaBuild();
        }
    }

    /** @param weights the folder with the model's external data */
    static OnnxEngine open(byte[] model, Path weights, TeacherOptions options) {
        requireDevice(options.device());
        if (options.device() != TeacherOptions.Device.CPU && hasCuda()) {
            try {
                return new OnnxEngine(session(model, weights, options, true), TeacherOptions.Device.CUDA, options.gpu());
            } catch (OrtException e) {
                if (options.device() == TeacherOptions.Device.CUDA) {
                    throw TeacherErrors.noUsableGpu(options.gpu(), e);
                }
            }
        }
        try {
            return new OnnxEngine(session(model, weights, options, false), TeacherOptions.Device.CPU, options.gpu());
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("load its model", e);
        }
    }

    static boolean hasCuda() {
        return OrtEnvironment.getAvailableProviders().contains(OrtProvider.CUDA);
    }

    private static OrtSession session(byte[] model, Path weights, TeacherOptions options, boolean cuda)
            throws OrtException {
        // Before the options: the CUDA provider fails to load where nothing has set ONNX Runtime's logger up.
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        try (OrtSession.SessionOptions settings = new OrtSession.SessionOptions()) {
            settings.setIntraOpNumThreads(options.threads());
            settings.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
            // Batches differ in shape: planned memory would be kept for each of them.
            settings.setMemoryPatternOptimization(false);
            // Idle threads must not burn the cores that the next task trains on.
            settings.addConfigEntry("session.intra_op.allow_spinning", "0");
            settings.addConfigEntry("session.model_external_initializers_file_folder_path", weights.toString());
            if (!cuda) {
                return environment.createSession(model, settings);
            }
            // Not addCUDA(int): it says "Failed to load shared library" and not which.
            try (OrtCUDAProviderOptions gpu = new OrtCUDAProviderOptions(options.gpu())) {
                settings.addCUDA(gpu);
                return environment.createSession(model, settings);
            }
        }
    }

    TeacherOptions.Device device() {
        return device;
    }

    /** @throws EngineOutOfMemory when the batch is too large for the memory there is */
    List<ScoredSequence> score(TokenBatch batch, int k) {
        int n = batch.positions();
        FloatBuffer top = floats((long) n * k);
        IntBuffer topIds = bytes(4L * n * k).asIntBuffer();
        FloatBuffer next = floats(n);
        FloatBuffer entropy = floats(n);
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        Map<String, OnnxTensor> outputs = new LinkedHashMap<>();
        try {
            feed(batch, inputs);
            inputs.put(LlamaGraph.NEXT_IDS, tensor(batch.nextIds(), n, 1));
            inputs.put(LlamaGraph.K, tensor(TokenBatch.direct(1).put(0, k), 1));
            outputs.put(LlamaGraph.TOP_LOG_PROBABILITIES, tensor(top, n, k));
            outputs.put(LlamaGraph.TOP_IDS, OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), topIds, new long[] {n, k}));
            outputs.put(LlamaGraph.NEXT_LOG_PROBABILITY, tensor(next, n, 1));
            outputs.put(LlamaGraph.ENTROPY, tensor(entropy, n, 1));
            session.run(inputs, outputs).close();
        } catch (OrtException e) {
            throw failed("score a batch of " + batch.sequences().size() + " × " + batch.paddedLength() + " tokens", e);
        } finally {
            close(inputs);
            close(outputs);
        }
        List<ScoredSequence> scored = new ArrayList<>();
        int row = 0;
        for (int i = 0; i < batch.sequences().size(); i++) {
            int positions = batch.sequences().get(i).length - 1;
            scored.add(read(top, topIds, next, entropy, row, positions, k));
            row += positions;
        }
        return scored;
    }

    float[] logits(TokenBatch batch, int vocabSize) {
        int n = batch.positions();
        FloatBuffer logits = floats((long) n * vocabSize);
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        Map<String, OnnxTensor> outputs = new LinkedHashMap<>();
        try {
            feed(batch, inputs);
            outputs.put(LlamaGraph.LOGITS, tensor(logits, n, vocabSize));
            session.run(inputs, outputs).close();
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

    /** What a graph that ends in {@link LlamaGraph.Ending#CHANNEL_MAXIMA} gives for a batch: each output, by name. */
    Map<String, float[]> channelMaxima(TokenBatch batch) {
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        try {
            feed(batch, inputs);
            try (OrtSession.Result outputs = session.run(inputs)) {
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

    /** A GPU that there is no code for passes all checks until the first kernel is launched. */
    private RuntimeException failed(String what, OrtException e) {
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

    private static ScoredSequence read(FloatBuffer top, IntBuffer topIds, FloatBuffer next, FloatBuffer entropy,
            int firstRow, int positions, int k) {
        int[] offsets = new int[positions + 1];
        int[] ids = new int[positions * k];
        float[] probabilities = new float[positions * k];
        float[] tokenLogProbabilities = new float[positions];
        float[] entropies = new float[positions];
        entropy.get(firstRow, entropies);
        for (int t = 0; t < positions; t++) {
            if (!Float.isFinite(top.get((firstRow + t) * k)) || Float.isNaN(next.get(firstRow + t))) {
                return ScoredSequence.notFinite(t);
            }
            offsets[t + 1] = (t + 1) * k;
            tokenLogProbabilities[t] = Math.min(0, next.get(firstRow + t));
            int from = t * k;
            for (int j = 0; j < k; j++) {
                int source = (firstRow + t) * k + j;
                ids[from + j] = topIds.get(source);
                double p = Math.exp(top.get(source));
                // Rounding may carry a sure token past one, and a hopeless one to zero, which targets may not be.
                probabilities[from + j] = (float) Math.min(1, Math.max(Float.MIN_NORMAL, p));
            }
            orderTies(ids, probabilities, from, from + k);
        }
        return ScoredSequence.of(new SoftTargets(offsets, ids, probabilities), tokenLogProbabilities, entropies);
    }

    /** Among equal probabilities the smaller id first, whichever order the engine found them in. */
    static void orderTies(int[] ids, float[] probabilities, int begin, int end) {
        for (int i = begin + 1; i < end; i++) {
            int id = ids[i];
            float p = probabilities[i];
            int j = i;
            while (j > begin && (probabilities[j - 1] < p || (probabilities[j - 1] == p && ids[j - 1] > id))) {
                ids[j] = ids[j - 1];
                probabilities[j] = probabilities[j - 1];
                j--;
            }
            ids[j] = id;
            probabilities[j] = p;
        }
    }

    private static void feed(TokenBatch batch, Map<String, OnnxTensor> inputs) throws OrtException {
        inputs.put(LlamaGraph.INPUT_IDS, tensor(batch.inputIds(), batch.sequences().size(), batch.paddedLength()));
        inputs.put(LlamaGraph.POSITIONS, tensor(batch.flatPositions(), batch.positions()));
    }

    private static OnnxTensor tensor(LongBuffer values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), values, shape);
    }

    private static OnnxTensor tensor(FloatBuffer values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), values, shape);
    }

    private static FloatBuffer floats(long count) {
        return bytes(4 * count).asFloatBuffer();
    }

    private static ByteBuffer bytes(long count) {
        try {
            return ByteBuffer.allocateDirect(Math.toIntExact(count)).order(ByteOrder.nativeOrder());
        } catch (OutOfMemoryError e) {
            // Of direct memory: the heap is as well as before.
            throw new EngineOutOfMemory(e);
        }
    }

    private static void close(Map<String, OnnxTensor> tensors) {
        tensors.values().forEach(OnnxTensor::close);
    }
}
