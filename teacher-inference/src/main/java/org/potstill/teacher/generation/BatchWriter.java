// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.util.Arrays;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.teacher.onnx.CalibrationText;
import org.potstill.teacher.scoring.EngineOutOfMemory;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * Writing of many texts in one batch, on the CPU (continuous batching: Yu et al. 2022, Orca). It advances all texts by one token per step; where a text ends, the next request takes its slot before the next step.
 * Texts in progress are in the first slots, so that a step computes no others.
 *
 * <p>A text's bytes do not depend on its neighbours: the engine computes each row of a product in the same order whatever
 * the number of rows, attention works on each text alone, and prompts are cut at places that depend on the prompt.
 */
final class BatchWriter extends QueueWriter {
    /** Unit of the length of slots, in tokens. */
    private static final int UNIT = 64;

    private final CausalLmConfig config;
    private final WritingSession session;
    private final int maxTexts;

    /** Only for the thread, like all below. */
    private KeyValueBuffers buffers;
    private int capacity;
    private TextInSlot[] slots = {};
    private int active;

    BatchWriter(Checkpoint model, SamplingOptions sampling, TeacherOptions options, WritingLimits writing) {
        super(model);
        config = model.config();
        maxTexts = writing.texts();
        long most = Math.min(writing.cacheBytes() / KeyValueBuffers.bytesPerToken(config), (long) maxTexts * paddedLength(maxPositions));
        capacity = (int) Math.max(UNIT, Math.min(most, Integer.MAX_VALUE / (4L * config.numKeyValueHeads() * config.headDim())));
        session = new WritingSession(model.writing(options.precision(), sampling.choice(), CalibrationText.calibration(model, options),
                options.scratch()), sampling.choice().greedy(), options.threads());
        start();
    }

    private static int paddedLength(int tokens) {
        return Math.addExact(tokens, UNIT - 1) / UNIT * UNIT;
    }

    @Override
    boolean isBusy() {
        return active > 0;
    }

    @Override
    void advance() {
        admit();
        if (active > 0) {
            step();
        }
    }

    @Override
    void endAll(Throwable why) {
        while (active > 0) {
            slots[--active].result.completeExceptionally(why);
        }
        Arrays.fill(slots, null);
    }

    @Override
    void free() {
        session.close();
        if (buffers != null) {
            buffers.close();
        }
    }

    /** Gives free slots to the next requests. A text that needs a longer slot waits until all are free. */
    private void admit() {
        for (TextInSlot text = head(); text != null; text = head()) {
            try {
                if (!hasSlotFor(text)) {
                    return;
                }
            } catch (EngineOutOfMemory e) {
                text.result.completeExceptionally(TeacherErrors.engineFailed("hold the keys and values of one text", e.getCause()));
                continue;
            }
            synchronized (this) {
                queue.remove();
            }
            read(text, active++);
        }
    }

    /** Returns the next request that is still wanted; null if there is none. */
    private synchronized TextInSlot head() {
        while (!queue.isEmpty() && queue.peek().result.isDone()) {
            queue.remove();
        }
        return queue.peek();
    }

    private boolean hasSlotFor(TextInSlot text) {
        int need = paddedLength(Math.min(maxPositions, text.request.prompt().length + text.request.maxNewTokens()));
        if (active == 0 && (buffers == null || need > buffers.positions() || 2 * need <= buffers.positions())) {
            if (buffers == null || need > capacity) {
                allocate(need);
            }
            slots = new TextInSlot[Math.min(maxTexts, buffers.reshape(need))];
        }
        return active < slots.length && need <= buffers.positions();
    }

    /** Allocates as much of the capacity as memory holds, but at least what one text needs. */
    private void allocate(int need) {
        if (buffers != null) {
            buffers.close();
            buffers = null;
        }
        capacity = Math.max(capacity, need);
        while (buffers == null) {
            try {
                buffers = new KeyValueBuffers(config, capacity);
            } catch (EngineOutOfMemory e) {
                if (capacity / 2 < need) {
                    throw e;
                }
                capacity /= 2;
            }
        }
    }

    /** Reads a prompt, but for its last token, into a slot. */
    private void read(TextInSlot text, int target) {
        int same = 0;
        int from = target;
        for (int slot = 0; slot < slots.length; slot++) {
            int beginning = slots[slot] == null ? 0 : text.sameBeginning(slots[slot]);
            if (beginning > same) {
                same = beginning;
                from = slot;
            }
        }
        slots[target] = text;
        if (from != target) {
            buffers.copy(from, target, same);
        }
        for (int begin = same; begin < text.toRead(); begin = text.cutAfter(begin)) {
            session.read(buffers, target, text.request.prompt(), begin, text.cutAfter(begin));
        }
        counters.read(text.toRead() - same, same);
    }

    /** Advances all texts by one token. */
    private void step() {
        int[] tokens = new int[active];
        int[] positions = new int[active];
        double[] points = new double[active];
        for (int slot = 0; slot < active; slot++) {
            tokens[slot] = slots[slot].last();
            positions[slot] = slots[slot].position();
            points[slot] = slots[slot].point();
        }
        WritingSession.Next next = session.next(buffers, tokens, positions, points);
        counters.wrote(active);
        for (int slot = active - 1; slot >= 0; slot--) {
            if (slots[slot].take(next.tokens()[slot], next.isFinite(slot), stopIds, maxPositions)) {
                free(slot);
            }
        }
    }

    /** Moves the last text into the slot of one that ended, whose own keys and values remain if it was the last. */
    private void free(int slot) {
        active--;
        if (slot < active) {
            buffers.copy(active, slot, slots[active].position());
            slots[slot] = slots[active];
        }
    }
}
