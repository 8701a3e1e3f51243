// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.pruning;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.graph.LayerGraphs;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.teacher.onnx.OnnxEngine;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.EngineOutOfMemory;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherThread;
import org.potstill.teacher.scoring.TokenBatch;

/**
 * A decoder whose layers run one by one, in any selection, in single precision on ONNX Runtime.
 *
 * <p>Sessions belong to one thread, see {@link OnnxTeacher}: callers go through {@link #run}; all other methods must be
 * called inside it. Hidden states stay in ONNX Runtime's memory.
 */
public final class LayerwiseModel implements AutoCloseable {
    private static final String MEASURED = "measured layer ";

    private final CausalLmConfig config;
    private final Path weights;
    private final TeacherOptions options;
    private final TeacherThread owner = new TeacherThread();
    private final Map<String, OnnxEngine> engines = new LinkedHashMap<>();

    private LayerwiseModel(CausalLmConfig config, Path weights, TeacherOptions options) {
        this.config = config;
        this.weights = weights;
        this.options = options;
    }

    /**
     * Opens a checkpoint's decoder.
     *
     * @param checkpoint not needed after this returns
     * @param options    their precision is ignored
     */
    public static LayerwiseModel open(Checkpoint checkpoint, TeacherOptions options) {
        OnnxEngine.requireDevice(options.device());
        return new LayerwiseModel(checkpoint.config(), ExternalWeights.materialize(checkpoint, Precision.FP32, null, options.scratch()),
                options);
    }

    /** Hidden states {@code [N, H]}, or the distributions of some rows; callers close them. */
    record State(OrtSession.Result result) implements AutoCloseable {
        OnnxTensor tensor(String output) {
            return (OnnxTensor) result.get(output).orElseThrow();
        }

        @Override
        public void close() {
            result.close();
        }
    }

    /** Importance scores of a layer's activations, summed over a batch, see {@link LayerGraphs}. */
    record Measured(State state, float[] neurons, float[] heads, float[] channels) {
    }

    CausalLmConfig config() {
        return config;
    }

    /** Runs work in the thread that owns the sessions, and waits for it. */
    <T> T run(Callable<T> work) {
        return owner.run(work);
    }

    State embed(TokenBatch batch) {
        return run("embedding", () -> LayerGraphs.embedding(config), inputs(batch), List.of(LayerGraphs.OUTPUT));
    }

    State layer(int layer, TokenBatch batch, State before) {
        // Layers are measured only once, and a measuring session holds the weights a second time.
        engines.entrySet().removeIf(engine -> {
            if (engine.getKey().startsWith(MEASURED)) {
                engine.getValue().close();
            }
            return engine.getKey().startsWith(MEASURED);
        });
        return layer("layer " + layer, layer, false, batch, before, List.of(LayerGraphs.OUTPUT));
    }

    Measured measured(int layer, TokenBatch batch, State before) {
        State after = layer(MEASURED + layer, layer, true, batch, before,
                List.of(LayerGraphs.OUTPUT, LayerGraphs.NEURONS, LayerGraphs.HEADS, LayerGraphs.CHANNELS));
        return new Measured(after, floats(after, LayerGraphs.NEURONS), floats(after, LayerGraphs.HEADS), floats(after, LayerGraphs.CHANNELS));
    }

    /** Computes the distributions of some rows, with Σ p log p of each. */
    State reference(State last, int begin, int end) {
        Map<String, OnnxTensor> inputs = rows(last, begin, end);
        return run("reference", () -> LayerGraphs.reference(config), inputs, List.of(LayerGraphs.PROBABILITIES, LayerGraphs.CROSS));
    }

    /** Computes Σ p log q, in nats, summed over rows: p from a {@link #reference}, q from these states. */
    double cross(State last, int begin, int end, State reference) {
        Map<String, OnnxTensor> inputs = rows(last, begin, end);
        inputs.put(LayerGraphs.PROBABILITIES, reference.tensor(LayerGraphs.PROBABILITIES));
        try (State crossed = run("divergence", () -> LayerGraphs.divergence(config), inputs, List.of(LayerGraphs.CROSS))) {
            return sum(crossed);
        }
    }

    /** Returns Σ p log p, in nats, summed over the rows of a {@link #reference}. */
    static double self(State reference) {
        return sum(reference);
    }

    private static double sum(State crossed) {
        double sum = 0;
        for (float row : floats(crossed, LayerGraphs.CROSS)) {
            sum += row;
        }
        return sum;
    }

    private State layer(String name, int layer, boolean measured, TokenBatch batch, State before, List<String> outputs) {
        Map<String, OnnxTensor> inputs = inputs(batch);
        inputs.put(LayerGraphs.HIDDEN, before.tensor(LayerGraphs.OUTPUT));
        return run(name, () -> LayerGraphs.layer(config, layer, measured), inputs, outputs);
    }

    private Map<String, OnnxTensor> inputs(TokenBatch batch) {
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        inputs.put(LlamaGraph.INPUT_IDS, tensor(batch.inputIds(), batch.sequences().size(), batch.paddedLength()));
        inputs.put(LlamaGraph.POSITIONS, tensor(batch.flatPositions(), batch.positions()));
        return inputs;
    }

    private static Map<String, OnnxTensor> rows(State last, int begin, int end) {
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        inputs.put(LayerGraphs.BEGIN, tensor(TokenBatch.direct(1).put(0, begin), 1));
        inputs.put(LayerGraphs.END, tensor(TokenBatch.direct(1).put(0, end), 1));
        inputs.put(LayerGraphs.HIDDEN, last.tensor(LayerGraphs.OUTPUT));
        return inputs;
    }

    private static OnnxTensor tensor(LongBuffer values, long... shape) {
        try {
            return OnnxTensor.createTensor(OnnxRuntime.environment(), values, shape);
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("take its input", e);
        }
    }

    /** Runs a graph. Closes the integer inputs, which were made for this call. */
    private State run(String name, Callable<byte[]> graph, Map<String, OnnxTensor> inputs, List<String> outputs) {
        OnnxEngine engine = engines.get(name);
        try {
            if (engine == null) {
                engine = OnnxEngine.open(graph.call(), weights, options);
                engines.put(name, engine);
            }
            return new State(engine.run(inputs, new java.util.LinkedHashSet<>(outputs)));
        } catch (OrtException e) {
            RuntimeException failure = engine.failed("run its " + name, e);
            throw failure instanceof EngineOutOfMemory ? TeacherErrors.layersOutOfMemory(e) : failure;
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        } finally {
            inputs.forEach((input, tensor) -> {
                if (tensor.getInfo().type == ai.onnxruntime.OnnxJavaType.INT64) {
                    tensor.close();
                }
            });
        }
    }

    private static float[] floats(State state, String output) {
        FloatBuffer values = state.tensor(output).getFloatBuffer();
        float[] copy = new float[values.remaining()];
        values.get(copy);
        return copy;
    }

    @Override
    public void close() {
        if (!owner.isClosed()) {
            owner.run(() -> {
                new ArrayList<>(engines.values()).forEach(OnnxEngine::close);
                return null;
            });
            owner.close();
        }
    }
}
