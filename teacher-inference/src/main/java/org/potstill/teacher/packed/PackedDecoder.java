// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.Traits;
import org.potstill.kernels.CausalAttention;
import org.potstill.kernels.FloatValues;
import org.potstill.kernels.Kernels;
import org.potstill.kernels.PackedLinear;
import org.potstill.kernels.PackedLinear.Weight;
import org.potstill.kernels.RotaryAngles;
import org.potstill.kernels.Row;
import org.potstill.kernels.RowMatrix;
import org.potstill.kernels.Slices;

/**
 * The forward pass of a Llama-family decoder without experts, on the CPU. Matrices are multiplied, and attention is computed, with
 * operands of one type; the residual stream, norms, the rotary embedding, softmax and all sums are in single precision.
 *
 * <p>A thread takes a unit of rows through a whole layer, up to the next layer's queries, keys and values, which alternate
 * between two matrices: other units still read the last.
 */
final class PackedDecoder implements AutoCloseable {
    private final CausalLmConfig config;
    private final RowMatrix.Type type;
    private final int threads;
    private final DecoderWeights weights;
    private final CausalAttention attention;
    private final RotaryAngles angles;
    /** Null in models without local frequencies. */
    private final RotaryAngles localAngles;
    private final int qkvColumns;
    private final Queue<Scratch> idle = new ConcurrentLinkedQueue<>();

    /** Memory for a unit's work in a layer. */
    private final class Scratch {
        private final RowMatrix normed = new RowMatrix(type, RowPlan.MAX_UNIT, config.hiddenSize());
        private final RowMatrix qkv = new RowMatrix(RowMatrix.Type.FP32, RowPlan.MAX_UNIT, qkvColumns);
        private final RowMatrix attended = new RowMatrix(type, RowPlan.MAX_UNIT, config.numAttentionHeads() * config.headDim());
        private final RowMatrix gate = new RowMatrix(type, RowPlan.MAX_UNIT, config.intermediateSize());
        private final RowMatrix inner = new RowMatrix(type, RowPlan.MAX_UNIT, config.intermediateSize());
        private final RowMatrix output = new RowMatrix(RowMatrix.Type.FP32, RowPlan.MAX_UNIT, config.hiddenSize());
        private final FloatValues row = Row.ofFloats(Math.max(config.hiddenSize(), qkvColumns));
        private final FloatValues more = Row.ofFloats(Math.max(config.hiddenSize(), qkvColumns));

        void close() {
            normed.close();
            qkv.close();
            attended.close();
            gate.close();
            inner.close();
            output.close();
        }
    }

    /** Reads the weights; the checkpoint is not needed afterwards. */
    PackedDecoder(Checkpoint checkpoint, RowMatrix.Type type, int threads) {
        this.config = checkpoint.config();
        this.type = type;
        this.threads = threads;
        this.attention = new CausalAttention(new CausalAttention.Heads(config.numAttentionHeads(), config.numKeyValueHeads(), config.headDim(),
                config.attentionScale(), config.traits().softcaps().attention()), type);
        this.angles = RotaryAngles.global(config, DataType.FLOAT);
        this.localAngles = RotaryAngles.local(config, DataType.FLOAT);
        this.qkvColumns = (config.numAttentionHeads() + 2 * config.numKeyValueHeads()) * config.headDim();
        this.weights = new DecoderWeights(checkpoint, type);
    }

    DecoderWeights weights() {
        return weights;
    }

    int threads() {
        return threads;
    }

    /** Work on the final hidden states of a unit, in rows from 0 on. */
    @FunctionalInterface
    interface Head {
        void score(RowPlan.Unit unit, RowMatrix hidden);
    }

    /** Runs all layers and hands the final hidden states, normalised, to the head, a unit at a time and in several threads. */
    void run(RowPlan plan, Head head) {
        int longest = plan.longest();
        angles.reserve(longest);
        if (localAngles != null) {
            localAngles.reserve(longest);
        }
        int layers = config.numHiddenLayers();
        RowMatrix[] qkv = new RowMatrix[2];
        try (RowMatrix stream = new RowMatrix(RowMatrix.Type.FP32, plan.rows(), config.hiddenSize());
                RowMatrix first = new RowMatrix(type, plan.rows(), qkvColumns);
                RowMatrix second = new RowMatrix(type, plan.rows(), qkvColumns)) {
            qkv[0] = first;
            qkv[1] = second;
            each(plan, (unit, scratch) -> {
                embed(plan, unit, stream, scratch);
                project(0, plan, unit, stream, qkv[0], scratch);
            });
            for (int i = 0; i < layers; i++) {
                int layer = i;
                each(plan, (unit, scratch) -> {
                    layer(layer, unit, stream, qkv[layer % 2], scratch);
                    if (layer + 1 < layers) {
                        project(layer + 1, plan, unit, stream, qkv[(layer + 1) % 2], scratch);
                    } else {
                        norm(unit, stream, weights.finalNorm, config.traits().scales().logits(), scratch);
                        head.score(unit, scratch.normed);
                    }
                });
            }
        }
    }

    @FunctionalInterface
    private interface UnitWork {
        void run(RowPlan.Unit unit, Scratch scratch);
    }

    private void each(RowPlan plan, UnitWork work) {
        Slices.each(threads, plan.units().size(), i -> {
            Scratch scratch = idle.poll();
            if (scratch == null) {
                scratch = new Scratch();
            }
            work.run(plan.units().get(i), scratch);
            idle.add(scratch);
        });
    }

    private void embed(RowPlan plan, RowPlan.Unit unit, RowMatrix stream, Scratch scratch) {
        int n = config.hiddenSize();
        double scale = config.traits().scales().embedding();
        for (int i = unit.from(); i < unit.to(); i++) {
            int id = plan.ids()[i];
            weights.embeddings.get(id / DecoderWeights.CHUNK).load(scratch.row, id % DecoderWeights.CHUNK, 0, n);
            if (scale != 1) {
                scratch.row.scale(n, scale);
            }
            stream.store(scratch.row, i, 0, n);
        }
    }

    /** Stores the normalised rows of the stream in {@code scratch.normed}; without a gain, the rows as they are. */
    private void norm(RowPlan.Unit unit, RowMatrix stream, FloatValues gain, double scale, Scratch scratch) {
        int n = config.hiddenSize();
        FloatValues row = scratch.row;
        for (int i = 0; i < unit.rows(); i++) {
            stream.load(row, unit.from() + i, 0, n);
            if (gain != null) {
                Kernels.rmsNorm(row, n, gain, config.rmsNormEps());
            }
            if (scale != 1) {
                row.scale(n, scale);
            }
            scratch.normed.store(row, i, 0, n);
        }
    }

    /** Computes a layer's queries, keys and values. */
    private void project(int layer, RowPlan plan, RowPlan.Unit unit, RowMatrix stream, RowMatrix qkv, Scratch scratch) {
        DecoderWeights.Layer w = weights.layers.get(layer);
        norm(unit, stream, w.attentionInput(), 1, scratch);
        weights.qkv.apply(scratch.normed, 0, w.qkv(), scratch.qkv, 0, unit.rows(), null);
        boolean rotates = config.rotates(layer);
        RotaryAngles table = config.isLocal(layer) ? localAngles : angles;
        int rotated = config.numAttentionHeads() + config.numKeyValueHeads();
        for (int i = 0; i < unit.rows(); i++) {
            if (config.headNorms()) {
                normHeads(w, i, scratch);
            }
            scratch.qkv.load(scratch.row, i, 0, qkvColumns);
            if (rotates) {
                scratch.more.load(table.table(), plan.positions()[unit.from() + i], 0, config.headDim());
                scratch.row.rotate(rotated, config.headDim(), scratch.more, 1);
            }
            qkv.store(scratch.row, unit.from() + i, 0, qkvColumns);
        }
    }

    /** Normalises a row's queries and keys, each head or all heads together. */
    private void normHeads(DecoderWeights.Layer w, int i, Scratch scratch) {
        boolean each = config.traits().headNorms() == Traits.HeadNorms.EACH;
        int queries = config.numAttentionHeads() * config.headDim();
        int keys = config.numKeyValueHeads() * config.headDim();
        int queryWidth = each ? config.headDim() : queries;
        int keyWidth = each ? config.headDim() : keys;
        for (int from = 0; from < queries + keys;) {
            int width = from < queries ? queryWidth : keyWidth;
            scratch.qkv.load(scratch.row, i, from, width);
            Kernels.rmsNorm(scratch.row, width, from < queries ? w.query() : w.key(), config.rmsNormEps());
            scratch.qkv.store(scratch.row, i, from, width);
            from += width;
        }
    }

    private void layer(int layer, RowPlan.Unit unit, RowMatrix stream, RowMatrix qkv, Scratch scratch) {
        DecoderWeights.Layer w = weights.layers.get(layer);
        int rows = unit.rows();
        int at = 0;
        for (RowPlan.Block block : unit.blocks()) {
            attention.attend(qkv, block.sequence(), block.first(), block.queries(), config.slidingWindow(layer), scratch.attended, at);
            at += block.queries();
        }
        addToStream(weights.output, w.output(), scratch.attended, w.attentionOutput(), unit, stream, scratch);
        norm(unit, stream, w.feedForwardInput(), 1, scratch);
        weights.gate.apply(scratch.normed, 0, w.gate(), scratch.gate, 0, rows, null);
        weights.up.apply(scratch.normed, 0, w.up(), scratch.inner, 0, rows, scratch.gate);
        addToStream(weights.down, w.down(), scratch.inner, w.feedForwardOutput(), unit, stream, scratch);
    }

    /**
     * Adds a sublayer's output to the stream.
     *
     * @param last the sublayer's last product
     * @param x    what it multiplies
     * @param gain of the norm of its output; null for none
     */
    private void addToStream(PackedLinear last, Weight weight, RowMatrix x, FloatValues gain, RowPlan.Unit unit, RowMatrix stream, Scratch scratch) {
        if (weights.addsPlainly) {
            last.apply(x, 0, weight, stream, unit.from(), unit.rows(), null);
            return;
        }
        last.apply(x, 0, weight, scratch.output, 0, unit.rows(), null);
        int n = config.hiddenSize();
        for (int i = 0; i < unit.rows(); i++) {
            scratch.output.load(scratch.row, i, 0, n);
            if (gain != null) {
                Kernels.rmsNorm(scratch.row, n, gain, config.rmsNormEps());
            }
            stream.load(scratch.more, unit.from() + i, 0, n);
            scratch.more.add(n, config.traits().scales().residual(), scratch.row);
            stream.store(scratch.more, unit.from() + i, 0, n);
        }
    }

    @Override
    public void close() {
        for (Scratch scratch = idle.poll(); scratch != null; scratch = idle.poll()) {
            scratch.close();
        }
        attention.close();
        weights.close();
        angles.free();
        if (localAngles != null) {
            localAngles.free();
        }
    }
}
