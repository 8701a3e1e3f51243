// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.teacher.onnx.OnnxEngine;
import org.potstill.teacher.scoring.EngineOutOfMemory;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * Writing on a GPU: a run of the engine reads a batch of texts and continues each by up to {@link #STEPS} tokens, so that keys and
 * values never leave the device. Texts that have not ended join a later batch, which reads them again; others take the places of those
 * that have.
 *
 * <p>A GPU's library chooses its kernels by the shapes of their operands, and their sums differ in the last bits. A text's bytes do not
 * depend on its neighbours because its shapes do not: it is padded to a length that depends on its own, shares a batch with texts of the
 * same padded length only, and a batch of that length has the same number of rows, empty ones if need be. Memory that does not hold so
 * many rows halves their number, which can change the last bits.
 */
final class LoopWriter extends QueueWriter {
    /** New tokens per run, at most. */
    static final int STEPS = 64;
    /** The shortest padded length; each of the others is twice as long as the one before. */
    private static final int SHORTEST = 64;

    private final int maxRows;
    private final long cacheBytes;
    private final long bytesPerToken;
    private final DecodingSession session;
    /** Rows of a batch, by padded length; only for the thread, like all below. */
    private final Map<Integer, Integer> rows = new HashMap<>();
    private final List<TextInSlot> batch = new ArrayList<>();

    /** @param options in FP16, for a GPU, or FP32, for the CPU */
    LoopWriter(Checkpoint model, SamplingOptions sampling, TeacherOptions options, WritingLimits writing) {
        super(model);
        maxRows = writing.texts();
        cacheBytes = writing.cacheBytes();
        // Each step copies all keys and values.
        bytesPerToken = 2 * KeyValueBuffers.bytesPerToken(model.config()) * options.precision().bytes() / Float.BYTES;
        OnnxModel graph = model.decoding(options.precision(), sampling.choice(), options.scratch());
        session = new DecodingSession(OnnxEngine.open(graph.bytes(), graph.weights(), options), sampling.choice().greedy(), stopIds);
        start();
    }

    /** Returns the length to which a text is padded. */
    private int padded(TextInSlot text) {
        int length = SHORTEST;
        while (length < text.length()) {
            length *= 2;
        }
        return Math.min(length, maxPositions);
    }

    private int rows(int padded) {
        return rows.computeIfAbsent(padded, length -> (int) Math.max(1, Math.min(maxRows, cacheBytes / (bytesPerToken * (length + STEPS)))));
    }

    @Override
    boolean isBusy() {
        return !batch.isEmpty();
    }

    @Override
    void advance() {
        int padded = fill();
        if (batch.isEmpty()) {
            return;
        }
        int steps = Math.min(STEPS, batch.stream().mapToInt(text -> Math.min(text.remaining(), maxPositions - text.position())).max().orElseThrow());
        DecodingSession.Chosen chosen;
        try {
            chosen = session.run(batch, rows(padded), padded, steps, padded + STEPS);
        } catch (EngineOutOfMemory e) {
            if (rows(padded) == 1) {
                throw TeacherErrors.outOfMemory(padded, e.getCause());
            }
            rows.put(padded, rows(padded) / 2);
            requeue();
            return;
        }
        counters.read(batch.stream().mapToInt(TextInSlot::length).sum(), 0);
        for (int step = 0; step < chosen.steps(); step++) {
            int written = 0;
            for (int row = 0; row < batch.size(); row++) {
                if (!batch.get(row).result.isDone()) {
                    written++;
                    batch.get(row).take(chosen.token(step, row), chosen.isFinite(step, row), stopIds, maxPositions);
                }
            }
            counters.wrote(written);
        }
        requeue();
    }

    /** Takes from the queue a batch of one padded length, that which fills most of its rows or, of several, the longest; returns this length. */
    private synchronized int fill() {
        queue.removeIf(text -> text.result.isDone());
        Map<Integer, Integer> counts = new HashMap<>();
        queue.forEach(text -> counts.merge(padded(text), 1, Integer::sum));
        int best = counts.keySet().stream()
                .max(Comparator.<Integer>comparingDouble(length -> Math.min(1, (double) counts.get(length) / rows(length)))
                        .thenComparing(Comparator.naturalOrder()))
                .orElse(0);
        Iterator<TextInSlot> waiting = queue.iterator();
        while (best > 0 && waiting.hasNext() && batch.size() < rows(best)) {
            TextInSlot text = waiting.next();
            if (padded(text) == best) {
                batch.add(text);
                waiting.remove();
            }
        }
        return best;
    }

    /** Returns texts that have not ended to the front of the queue. */
    private synchronized void requeue() {
        for (int i = batch.size() - 1; i >= 0; i--) {
            if (!batch.get(i).result.isDone()) {
                queue.addFirst(batch.get(i));
            }
        }
        batch.clear();
    }

    @Override
    void endAll(Throwable why) {
        batch.forEach(text -> text.result.completeExceptionally(why));
        batch.clear();
    }

    @Override
    void free() {
        session.close();
    }
}
