// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.graph.WritingGraph;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.teacher.scoring.EngineOutOfMemory;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * Keys and values of many texts: one buffer per layer and kind, {@code [slots, keyValueHeads, S, D]}, which the graph
 * extends in place. S, the longest text, changes with {@link #reshape}; slots then share the same memory differently. Not
 * thread-safe.
 */
final class KeyValueBuffers implements AutoCloseable {
    private final CausalLmConfig config;
    private final List<FloatBuffer> buffers = new ArrayList<>();
    private final Map<Rows, View> views = new HashMap<>();
    private final int capacity;
    private int positions;

    private record Rows(int first, int count) {
    }

    /** The same tensors as a run's inputs and outputs. */
    record View(Map<String, OnnxTensor> past, Map<String, OnnxTensor> present) {
    }

    /**
     * Allocates the buffers.
     *
     * @param positions tokens of all slots together
     * @throws EngineOutOfMemory if memory does not hold them
     */
    KeyValueBuffers(CausalLmConfig config, int positions) {
        this.config = config;
        this.capacity = positions;
        try {
            for (int i = 0; i < 2 * config.numHiddenLayers(); i++) {
                buffers.add(ByteBuffer.allocateDirect(Math.multiplyExact(4 * width(config), positions)).order(ByteOrder.nativeOrder())
                        .asFloatBuffer());
            }
        } catch (OutOfMemoryError | ArithmeticException e) {
            throw new EngineOutOfMemory(e);
        }
    }

    /** Returns the bytes that one token takes. */
    static long bytesPerToken(CausalLmConfig config) {
        return 2L * 4 * config.numHiddenLayers() * width(config);
    }

    private static int width(CausalLmConfig config) {
        return config.numKeyValueHeads() * config.headDim();
    }

    /** Returns the number of tokens that one slot may have. */
    int positions() {
        return positions;
    }

    /**
     * Changes the length of slots, whose contents are lost.
     *
     * @return the number of slots
     */
    int reshape(int newPositions) {
        if (newPositions != positions) {
            close();
            positions = newPositions;
        }
        return capacity / positions;
    }

    /** Returns the tensors of consecutive slots. */
    View view(int first, int count) {
        return views.computeIfAbsent(new Rows(first, count), this::create);
    }

    private View create(Rows rows) {
        Map<String, OnnxTensor> past = new LinkedHashMap<>();
        Map<String, OnnxTensor> present = new LinkedHashMap<>();
        int slot = width(config) * positions;
        try {
            for (int i = 0; i < buffers.size(); i++) {
                OnnxTensor tensor = OnnxTensor.createTensor(OnnxRuntime.environment(),
                        buffers.get(i).slice(rows.first * slot, rows.count * slot),
                        new long[] {rows.count, config.numKeyValueHeads(), positions, config.headDim()});
                String kind = WritingGraph.KINDS.get(i % 2);
                past.put(WritingGraph.past(kind, i / 2), tensor);
                present.put(WritingGraph.present(kind, i / 2), tensor);
            }
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("share its keys and values", e);
        }
        return new View(past, present);
    }

    /** Copies the first tokens of one slot to another. */
    void copy(int from, int to, int tokens) {
        int heads = config.numKeyValueHeads();
        int head = positions * config.headDim();
        for (FloatBuffer buffer : buffers) {
            for (int h = 0; h < heads; h++) {
                buffer.put((to * heads + h) * head, buffer, (from * heads + h) * head, tokens * config.headDim());
            }
        }
    }

    /** Frees the tensors, not the buffers. */
    @Override
    public void close() {
        views.values().forEach(view -> view.past.values().forEach(OnnxTensor::close));
        views.clear();
    }
}
