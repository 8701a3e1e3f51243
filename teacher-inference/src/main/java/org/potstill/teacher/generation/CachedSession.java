// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.IntToLongFunction;
import java.util.stream.Collectors;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.teacher.onnx.OnnxEngine;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TokenBatch;

/**
 * An ONNX Runtime session for a graph with a key/value cache, and the text read so far. Each step's keys and values go
 * straight to the next step and never leave the engine. Not thread-safe.
 */
final class CachedSession implements AutoCloseable {
    private static final String PAST = "past_key_values";
    private static final String PRESENT = "present";
    /** Prompt tokens per step, which bounds memory: the graph computes logits for all of them. */
    private static final int CHUNK = 256;

    private final OrtSession session;
    private final Map<String, NodeInfo> inputs;
    private final Set<String> presents;
    private final int vocabSize;
    /** Result of the last step, which owns the keys and values. */
    private OrtSession.Result last;
    private int length;

    CachedSession(OnnxModel model, int vocabSize, int threads) {
        this.vocabSize = vocabSize;
        try {
            session = OnnxEngine.session(model.bytes(), model.weights(), threads);
            inputs = session.getInputInfo();
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("load its model", e);
        }
        presents = session.getOutputNames().stream().filter(name -> name.startsWith(PRESENT + ".")).collect(Collectors.toSet());
    }

    /** Returns the number of tokens read so far. */
    int length() {
        return length;
    }

    /**
     * Continues reading.
     *
     * @param ids at least one
     * @return logits after the last of them, {@code [vocabSize]}; not always finite
     */
    float[] read(int... ids) {
        // The last token gets its own step, so that only its logits are copied.
        for (int begin = 0; begin < ids.length - 1; begin += CHUNK) {
            step(ids, begin, Math.min(ids.length - 1, begin + CHUNK), presents);
        }
        step(ids, ids.length - 1, ids.length, session.getOutputNames());
        float[] logits = new float[vocabSize];
        ((OnnxTensor) last.get(LlamaGraph.LOGITS).orElseThrow()).getFloatBuffer().get(logits);
        return logits;
    }

    static boolean finite(float[] logits) {
        for (float logit : logits) {
            if (!Float.isFinite(logit)) {
                return false;
            }
        }
        return true;
    }

    private void step(int[] ids, int begin, int end, Set<String> wanted) {
        Map<String, OnnxTensor> feed = new LinkedHashMap<>();
        Map<String, OnnxTensor> ours = new LinkedHashMap<>();
        int first = length - begin;
        try {
            for (Map.Entry<String, NodeInfo> input : inputs.entrySet()) {
                String name = input.getKey();
                if (name.startsWith(PAST) && last != null) {
                    feed.put(name, (OnnxTensor) last.get(name.replace(PAST, PRESENT)).orElseThrow());
                } else {
                    ours.put(name, switch (name) {
                        case "input_ids" -> longs(end - begin, i -> ids[begin + i]);
                        case "attention_mask" -> longs(first + end, i -> 1);
                        case "position_ids" -> longs(end - begin, i -> first + begin + i);
                        default -> nothing((TensorInfo) input.getValue().getInfo());
                    });
                }
            }
            feed.putAll(ours);
            OrtSession.Result result = NativeWork.call(() -> session.run(feed, wanted));
            forget();
            last = result;
            length = first + end;
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("read " + (end - begin) + " tokens after " + length, e);
        } finally {
            ours.values().forEach(OnnxTensor::close);
        }
    }

    private static OnnxTensor longs(int count, IntToLongFunction values) throws OrtException {
        LongBuffer buffer = TokenBatch.direct(count);
        for (int i = 0; i < count; i++) {
            buffer.put(i, values.applyAsLong(i));
        }
        return OnnxTensor.createTensor(OnnxRuntime.environment(), buffer, new long[] {1, count});
    }

    /** Returns empty keys or values, those of no token. */
    private static OnnxTensor nothing(TensorInfo declared) throws OrtException {
        long[] shape = declared.getShape();
        shape[0] = 1;
        shape[2] = 0;
        FloatBuffer none = ByteBuffer.allocateDirect(0).order(ByteOrder.nativeOrder()).asFloatBuffer();
        return OnnxTensor.createTensor(OnnxRuntime.environment(), none, shape);
    }

    /** Clears the cache, to begin another text. */
    void forget() {
        if (last != null) {
            last.close();
            last = null;
        }
        length = 0;
    }

    @Override
    public void close() {
        forget();
        try {
            session.close();
        } catch (OrtException e) {
            throw TeacherErrors.engineFailed("close its session", e);
        }
    }
}
