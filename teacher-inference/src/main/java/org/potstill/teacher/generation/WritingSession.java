// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.graph.WritingGraph;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.teacher.onnx.OnnxEngine;
import org.potstill.teacher.scoring.TeacherErrors;

/** An ONNX Runtime session of a {@link WritingGraph} over {@link KeyValueBuffers}. Not thread-safe. */
final class WritingSession implements AutoCloseable {
    /**
     * Next tokens.
     *
     * @param tokens of each text
     * @param sums   of each text's logits; not finite if one of them is not
     */
    record Next(int[] tokens, float[] sums) {
        boolean isFinite(int text) {
            return Float.isFinite(sums[text]);
        }
    }

    private final OrtSession session;
    private final boolean greedy;

    WritingSession(OnnxModel model, boolean greedy, int threads) {
        this.greedy = greedy;
        try {
            session = OnnxEngine.session(model.bytes(), model.weights(), threads);
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("load its model", e);
        }
    }

    /** Reads tokens {@code [begin, end)} of a text, of which the earlier ones are in the slot. */
    void read(KeyValueBuffers buffers, int slot, int[] text, int begin, int end) {
        run(buffers.view(slot, 1), new Batch(Arrays.copyOfRange(text, begin, end), 1, new int[] {end - 1}, end, new double[1]));
    }

    /**
     * Reads one token of each of the texts in the first slots and chooses the next.
     *
     * @param tokens    the token of each text
     * @param positions its position in the text
     * @param points    which decide the draws
     */
    Next next(KeyValueBuffers buffers, int[] tokens, int[] positions, double[] points) {
        int longest = Arrays.stream(positions).max().orElseThrow() + 1;
        return run(buffers.view(0, tokens.length), new Batch(tokens, tokens.length, positions, longest, points));
    }

    /** Inputs of a run, with a point for each of the first rows, whose next tokens are chosen. The graph wants at least one. */
    private record Batch(int[] tokens, int texts, int[] lastPositions, int longest, double[] points) {
    }

    private Next run(KeyValueBuffers.View view, Batch batch) {
        int wanted = batch.points.length;
        Map<String, OnnxTensor> ours = new LinkedHashMap<>();
        IntBuffer chosen = bytes(4 * wanted).asIntBuffer();
        FloatBuffer check = bytes(4 * wanted).asFloatBuffer();
        try {
            ours.put(WritingGraph.INPUT_IDS, longs(batch.tokens, batch.texts, batch.tokens.length / batch.texts));
            ours.put(WritingGraph.LAST_POSITIONS, ints(batch.lastPositions));
            ours.put(WritingGraph.LONGEST, ints(batch.longest));
            int[] rows = new int[wanted];
            Arrays.setAll(rows, row -> row);
            ours.put(WritingGraph.ROWS, longs(rows, wanted));
            if (!greedy) {
                ours.put(WritingGraph.POINTS, doubles(batch.points));
            }
            Map<String, OnnxTensor> inputs = new LinkedHashMap<>(ours);
            inputs.putAll(view.past());
            Map<String, OnnxTensor> outputs = new LinkedHashMap<>(view.present());
            ours.put(WritingGraph.TOKENS, OnnxTensor.createTensor(OnnxRuntime.environment(), chosen, new long[] {wanted}));
            ours.put(WritingGraph.CHECK, OnnxTensor.createTensor(OnnxRuntime.environment(), check, new long[] {wanted}));
            outputs.put(WritingGraph.TOKENS, ours.get(WritingGraph.TOKENS));
            outputs.put(WritingGraph.CHECK, ours.get(WritingGraph.CHECK));
            NativeWork.call(() -> session.run(inputs, outputs)).close();
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("read " + batch.tokens.length + " tokens of " + batch.texts + " texts", e);
        } finally {
            ours.values().forEach(OnnxTensor::close);
        }
        Next next = new Next(new int[wanted], new float[wanted]);
        chosen.get(next.tokens);
        check.get(next.sums);
        return next;
    }

    private static OnnxTensor longs(int[] values, long... shape) throws OrtException {
        LongBuffer buffer = bytes(8 * values.length).asLongBuffer();
        for (int i = 0; i < values.length; i++) {
            buffer.put(i, values[i]);
        }
        return OnnxTensor.createTensor(OnnxRuntime.environment(), buffer, shape);
    }

    private static OnnxTensor ints(int... values) throws OrtException {
        IntBuffer buffer = bytes(4 * values.length).asIntBuffer().put(values).rewind();
        return OnnxTensor.createTensor(OnnxRuntime.environment(), buffer, new long[] {values.length});
    }

    private static OnnxTensor doubles(double... values) throws OrtException {
        DoubleBuffer buffer = bytes(8 * values.length).asDoubleBuffer().put(values).rewind();
        return OnnxTensor.createTensor(OnnxRuntime.environment(), buffer, new long[] {values.length, 1});
    }

    private static ByteBuffer bytes(int count) {
        return ByteBuffer.allocateDirect(count).order(ByteOrder.nativeOrder());
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("close its session", e);
        }
    }
}
