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
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.LlamaGraph;
import org.potstill.softlabels.TargetSpec;

/** One ONNX Runtime session and how it is fed and read. For one thread. */
final class OnnxEngine implements AutoCloseable {
    /** A system property: the beginning of the name of the file in which ONNX Runtime writes how long each operator took. */
    static final String PROFILE = "potstill.onnx-profile";

    private final OrtSession session;
    private final TeacherOptions.Device device;
    private final int gpu;
    /** By what they hold, as large as the largest batch so far needed: fresh ones would pile up until the heap is collected. */
    private final Map<String, ByteBuffer> buffers = new HashMap<>();

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

    static boolean hasCuda() {
        return OrtEnvironment.getAvailableProviders().contains(OrtProvider.CUDA);
    }

    /** A session on the CPU. */
    static OrtSession session(byte[] model, Path weights, int threads) throws OrtException {
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        try (OrtSession.SessionOptions settings = settings(weights, threads)) {
            return environment.createSession(model, settings);
        }
    }

    private static OrtSession cudaSession(byte[] model, Path weights, TeacherOptions options) throws OrtException {
        // Before the options: the CUDA provider fails to load where nothing has set ONNX Runtime's logger up.
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        // Not addCUDA(int): it says "Failed to load shared library" and not which.
        try (OrtSession.SessionOptions settings = settings(weights, options.threads());
                OrtCUDAProviderOptions gpu = new OrtCUDAProviderOptions(options.gpu())) {
            // Single precision is single precision: TF32 has 10 bits.
            gpu.add("use_tf32", "0");
            settings.addCUDA(gpu);
            return environment.createSession(model, settings);
        }
    }

    private static OrtSession.SessionOptions settings(Path weights, int threads) throws OrtException {
        OrtSession.SessionOptions settings = new OrtSession.SessionOptions();
        settings.setIntraOpNumThreads(threads);
        settings.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
        // Batches differ in shape: planned memory would be kept for each of them.
        settings.setMemoryPatternOptimization(false);
        // Idle threads must not burn the cores that the next task trains on.
        settings.addConfigEntry("session.intra_op.allow_spinning", "0");
        settings.addConfigEntry("session.model_external_initializers_file_folder_path", weights.toString());
        String profile = System.getProperty(PROFILE);
        if (profile != null) {
            settings.enableProfiling(profile);
        }
        return settings;
    }

    TeacherOptions.Device device() {
        return device;
    }

    /** For graphs with inputs and outputs of their own. */
    OrtSession session() {
        return session;
    }

    /**
     * @param spec of the kind that the graph was made for; no more than the vocabulary has
     * @throws EngineOutOfMemory when the batch is too large for the memory there is
     */
    List<ScoredSequence> score(TokenBatch batch, TargetSpec spec) {
        int n = batch.positions();
        int k = spec.k();
        int draws = spec.draws();
        Scores scores = new Scores(floats("top", (long) n * k), ints("top ids", (long) n * k), ints("drawn", (long) n * draws),
                floats("drawn mass", draws == 0 ? 0 : n), floats("next", n), floats("entropy", n), k, draws);
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        Map<String, OnnxTensor> outputs = new LinkedHashMap<>();
        try {
            feed(batch, inputs);
            inputs.put(LlamaGraph.NEXT_IDS, tensor(batch.nextIds(), n, 1));
            if (k > 0) {
                inputs.put(LlamaGraph.K, tensor(TokenBatch.direct(1).put(0, k), 1));
                outputs.put(LlamaGraph.TOP_LOG_PROBABILITIES, tensor(scores.top, n, k));
                outputs.put(LlamaGraph.TOP_IDS, tensor(scores.topIds, n, k));
            }
            if (draws > 0) {
                inputs.put(LlamaGraph.UNIFORMS, tensor(uniforms(batch, spec), n, LlamaGraph.DRAW_STEPS, draws));
                outputs.put(LlamaGraph.DRAWS, tensor(scores.drawn, n, draws));
                outputs.put(LlamaGraph.DRAWN_MASS, tensor(scores.drawnMass, n, 1));
            }
            outputs.put(LlamaGraph.NEXT_LOG_PROBABILITY, tensor(scores.next, n, 1));
            outputs.put(LlamaGraph.ENTROPY, tensor(scores.entropy, n, 1));
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
            scored.add(scores.read(row, positions));
            row += positions;
        }
        return scored;
    }

    float[] logits(TokenBatch batch, int vocabSize) {
        int n = batch.positions();
        FloatBuffer logits = floats("logits", (long) n * vocabSize);
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
    RuntimeException failed(String what, OrtException e) {
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

    /** [N, 3, draws] */
    private FloatBuffer uniforms(TokenBatch batch, TargetSpec spec) {
        FloatBuffer all = floats("uniforms", (long) batch.positions() * LlamaGraph.DRAW_STEPS * spec.draws());
        for (int[] tokens : batch.sequences()) {
            Uniforms uniforms = new Uniforms(tokens, spec.seed(), spec.draws());
            for (int t = 0; t < tokens.length - 1; t++) {
                for (int step = 0; step < LlamaGraph.DRAW_STEPS; step++) {
                    for (int draw = 0; draw < spec.draws(); draw++) {
                        all.put(uniforms.at(t, step, draw));
                    }
                }
            }
        }
        return all.flip();
    }

    /** What the graph says of N positions, each row-major: top and topIds [N, k], drawn [N, draws], the others [N]. */
    private record Scores(FloatBuffer top, IntBuffer topIds, IntBuffer drawn, FloatBuffer drawnMass, FloatBuffer next,
            FloatBuffer entropy, int k, int draws) {
        ScoredSequence read(int firstRow, int positions) {
            TargetsBuilder targets = new TargetsBuilder(positions, k, draws);
            float[] tokenLogProbabilities = new float[positions];
            float[] entropies = new float[positions];
            int[] ofPosition = new int[draws];
            entropy.get(firstRow, entropies);
            for (int t = 0; t < positions; t++) {
                int row = firstRow + t;
                if (Float.isNaN(next.get(row)) || k > 0 && !Float.isFinite(top.get(row * k))
                        || draws > 0 && !Float.isFinite(drawnMass.get(row))) {
                    return ScoredSequence.notFinite(t);
                }
                tokenLogProbabilities[t] = Math.min(0, next.get(row));
                for (int i = row * k; i < (row + 1) * k; i++) {
                    targets.add(topIds.get(i), Math.exp(top.get(i)));
                }
                targets.orderTies();
                if (draws > 0) {
                    drawn.get(row * draws, ofPosition);
                    // The whole mass is one: its sum in single precision is not, quite.
                    targets.addDraws(ofPosition, k == 0 ? 1 : drawnMass.get(row));
                }
                targets.endPosition();
            }
            return ScoredSequence.of(targets.build(), tokenLogProbabilities, entropies);
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

    private static OnnxTensor tensor(IntBuffer values, long... shape) throws OrtException {
        return OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), values, shape);
    }

    private IntBuffer ints(String what, long count) {
        return bytes(what, 4 * count).asIntBuffer();
    }

    private FloatBuffer floats(String what, long count) {
        return bytes(what, 4 * count).asFloatBuffer();
    }

    private ByteBuffer bytes(String what, long count) {
        int size = Math.toIntExact(count);
        try {
            ByteBuffer buffer = buffers.get(what);
            if (buffer == null || buffer.capacity() < size) {
                buffers.remove(what);
                buffer = ByteBuffer.allocateDirect(size);
                buffers.put(what, buffer);
            }
            return buffer.slice(0, size).order(ByteOrder.nativeOrder());
        } catch (OutOfMemoryError e) {
            // Of direct memory: the heap is as well as before.
            throw new EngineOutOfMemory(e);
        }
    }

    private static void close(Map<String, OnnxTensor> tensors) {
        tensors.values().forEach(OnnxTensor::close);
    }
}
