// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.potstill.checkpoints.graph.DecodingLoop;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.teacher.onnx.OnnxEngine;

/** An ONNX Runtime session of a {@link DecodingLoop}. Not thread-safe. */
final class DecodingSession implements AutoCloseable {
    /**
     * Tokens of each step and row, and the sums of the logits that they were chosen from.
     *
     * @param tokens [steps, rows], as {@code sums}
     */
    record Chosen(int steps, int rows, int[] tokens, float[] sums) {
        int token(int step, int row) {
            return tokens[step * rows + row];
        }

        boolean isFinite(int step, int row) {
            return Float.isFinite(sums[step * rows + row]);
        }
    }

    private final OnnxEngine engine;
    private final boolean greedy;
    private final int[] stopIds;

    /** @param engine which the session closes */
    DecodingSession(OnnxEngine engine, boolean greedy, Set<Integer> stopIds) {
        this.engine = engine;
        this.greedy = greedy;
        this.stopIds = stopIds.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    /**
     * Continues texts until all have ended, or by a number of tokens.
     *
     * @param rows     of the batch, at least as many as texts
     * @param padded   tokens to which texts are padded
     * @param capacity positions for keys and values
     * @throws org.potstill.teacher.scoring.EngineOutOfMemory if the batch does not fit into memory
     */
    Chosen run(List<TextInSlot> texts, int rows, int padded, int steps, int capacity) {
        LongBuffer ids = LongBuffer.allocate(rows * padded);
        LongBuffer last = LongBuffer.allocate(rows);
        IntBuffer ended = IntBuffer.allocate(rows);
        DoubleBuffer points = DoubleBuffer.allocate(greedy ? 0 : steps * rows);
        for (int row = 0; row < rows; row++) {
            if (row >= texts.size()) {
                ended.put(row, 1);
                continue;
            }
            TextInSlot text = texts.get(row);
            for (int i = 0; i < text.length(); i++) {
                ids.put(row * padded + i, text.token(i));
            }
            last.put(row, text.length() - 1L);
            for (int step = 0; !greedy && step < steps; step++) {
                points.put(step * rows + row, text.point(step));
            }
        }
        Map<String, OnnxTensor> inputs = new HashMap<>();
        OrtEnvironment environment = OnnxRuntime.environment();
        try {
            inputs.put(DecodingLoop.INPUT_IDS, OnnxTensor.createTensor(environment, ids, new long[] {rows, padded}));
            inputs.put(DecodingLoop.LAST_INDICES, OnnxTensor.createTensor(environment, last, new long[] {rows}));
            inputs.put(DecodingLoop.ENDED, OnnxTensor.createTensor(environment, ended, new long[] {rows}));
            inputs.put(DecodingLoop.STEPS, OnnxTensor.createTensor(environment, LongBuffer.wrap(new long[] {steps}), new long[0]));
            inputs.put(DecodingLoop.CAPACITY, OnnxTensor.createTensor(environment, LongBuffer.wrap(new long[] {capacity}), new long[0]));
            inputs.put(DecodingLoop.STOP_IDS, OnnxTensor.createTensor(environment, IntBuffer.wrap(stopIds), new long[] {stopIds.length}));
            if (!greedy) {
                inputs.put(DecodingLoop.POINTS, OnnxTensor.createTensor(environment, points, new long[] {steps, rows}));
            }
            try (OrtSession.Result outputs = engine.run(inputs, Set.of(DecodingLoop.TOKENS, DecodingLoop.CHECK))) {
                OnnxTensor tokens = (OnnxTensor) outputs.get(DecodingLoop.TOKENS).orElseThrow();
                OnnxTensor sums = (OnnxTensor) outputs.get(DecodingLoop.CHECK).orElseThrow();
                int done = (int) tokens.getInfo().getShape()[0];
                Chosen chosen = new Chosen(done, rows, new int[done * rows], new float[done * rows]);
                tokens.getIntBuffer().get(chosen.tokens);
                FloatBuffer values = sums.getFloatBuffer();
                values.get(chosen.sums);
                return chosen;
            }
        } catch (OrtException e) {
            throw engine.failed("write " + steps + " tokens of " + texts.size() + " texts", e);
        } finally {
            inputs.values().forEach(OnnxTensor::close);
        }
    }

    @Override
    public void close() {
        engine.close();
    }
}
