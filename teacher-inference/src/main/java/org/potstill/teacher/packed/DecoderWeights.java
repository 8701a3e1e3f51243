// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.Traits;
import org.potstill.kernels.FloatValues;
import org.potstill.kernels.PackedLinear;
import org.potstill.kernels.PackedLinear.Ending;
import org.potstill.kernels.PackedLinear.Weight;
import org.potstill.kernels.Row;
import org.potstill.kernels.RowMatrix;

/** A checkpoint's weights as {@link PackedDecoder} multiplies with them: packed, vectors and embeddings in single precision. */
final class DecoderWeights implements AutoCloseable {
    /** Ids whose embeddings, or whose logits, are one matrix. */
    static final int CHUNK = 2048;

    /** Weights of a layer; gains that the model lacks are null. */
    record Layer(Weight qkv, Weight output, Weight gate, Weight up, Weight down, FloatValues attentionInput, FloatValues attentionOutput,
            FloatValues feedForwardInput, FloatValues feedForwardOutput, FloatValues query, FloatValues key) {
        void close() {
            List.of(qkv, output, gate, up, down).forEach(Weight::close);
        }
    }

    final PackedLinear qkv;
    final PackedLinear output;
    final PackedLinear gate;
    final PackedLinear up;
    final PackedLinear down;
    /** Whole chunks of the head, and the last one. */
    final PackedLinear head;
    final PackedLinear lastHead;
    final List<RowMatrix> embeddings = new ArrayList<>();
    final List<Layer> layers = new ArrayList<>();
    final FloatValues finalNorm;
    private final List<Weight> heads = new ArrayList<>();
    private final Checkpoint checkpoint;
    private final CausalLmConfig config;

    /** Reads and packs all weights; the checkpoint is not needed afterwards. */
    DecoderWeights(Checkpoint checkpoint, RowMatrix.Type type) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        int hidden = config.hiddenSize();
        int inner = config.intermediateSize();
        int queries = config.numAttentionHeads() * config.headDim();
        int keys = config.numKeyValueHeads() * config.headDim();
        boolean addsPlainly = !config.traits().norms().after() && config.traits().scales().residual() == 1;
        Ending ending = addsPlainly ? Ending.ADD : Ending.STORE;
        CausalLmConfig.Variant variant = config.variant();
        qkv = linear(hidden, queries + 2 * keys, variant.attentionBias(), type, RowMatrix.Type.FP32, Ending.STORE);
        output = linear(queries, hidden, config.outputBias(), type, RowMatrix.Type.FP32, ending);
        gate = linear(hidden, inner, variant.mlpBias(), type, type, config.traits().activation() == Traits.Activation.SILU ? Ending.SILU : Ending.GELU);
        up = linear(hidden, inner, variant.mlpBias(), type, type, Ending.MULTIPLY);
        down = linear(inner, hidden, variant.mlpBias(), type, RowMatrix.Type.FP32, ending);
        head = linear(hidden, Math.min(CHUNK, config.vocabSize()), false, type, RowMatrix.Type.FP32, Ending.STORE);
        lastHead = linear(hidden, chunkSize(chunks() - 1), false, type, RowMatrix.Type.FP32, Ending.STORE);
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            layers.add(layer(i));
        }
        finalNorm = vector(LlamaTensors.FINAL_NORM);
        readEmbeddings();
    }

    private static PackedLinear linear(int in, int out, boolean biased, RowMatrix.Type from, RowMatrix.Type to, Ending ending) {
        return new PackedLinear(in, out, biased, from, to, ending, RowPlan.MAX_UNIT);
    }

    /** Number of matrices that embeddings and head are divided into. */
    int chunks() {
        return (config.vocabSize() + CHUNK - 1) / CHUNK;
    }

    /** Number of ids of a chunk. */
    int chunkSize(int chunk) {
        return Math.min(CHUNK, config.vocabSize() - chunk * CHUNK);
    }

    /** Computes the logits of a chunk of ids, [rows, chunkSize]. */
    void logits(RowMatrix hidden, int from, int rows, int chunk, RowMatrix to) {
        (chunk == chunks() - 1 ? lastHead : head).apply(hidden, from, heads.get(chunk), to, 0, rows, null);
    }

    private void readEmbeddings() {
        boolean tied = config.tieWordEmbeddings();
        FloatBuffer values = direct((long) CHUNK * config.hiddenSize());
        for (int chunk = 0; chunk < chunks(); chunk++) {
            int size = chunkSize(chunk);
            checkpoint.readRows(LlamaTensors.EMBEDDING, (long) chunk * CHUNK, size, values.clear());
            RowMatrix rows = new RowMatrix(RowMatrix.Type.FP32, size, config.hiddenSize());
            rows.floats().put(0, values, 0, size * config.hiddenSize());
            embeddings.add(rows);
            if (!tied) {
                checkpoint.readRows(LlamaTensors.HEAD, (long) chunk * CHUNK, size, values.clear());
            }
            heads.add((chunk == chunks() - 1 ? lastHead : head).pack(values.clear(), null));
        }
    }

    private Layer layer(int i) {
        boolean headNorms = config.headNorms();
        return new Layer(pack(qkv, i, config.variant().attentionBias(), "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
                pack(output, i, config.outputBias(), "self_attn.o_proj"), pack(gate, i, config.variant().mlpBias(), "mlp.gate_proj"),
                pack(up, i, config.variant().mlpBias(), "mlp.up_proj"), pack(down, i, config.variant().mlpBias(), "mlp.down_proj"),
                vector(LlamaTensors.attentionInputNorm(config, i)), vector(LlamaTensors.attentionOutputNorm(config, i)),
                vector(LlamaTensors.feedForwardInputNorm(config, i)), vector(LlamaTensors.feedForwardOutputNorm(config, i)),
                headNorms ? vector(LlamaTensors.layer(i, "self_attn.q_norm")) : null, headNorms ? vector(LlamaTensors.layer(i, "self_attn.k_norm")) : null);
    }

    private Weight pack(PackedLinear linear, int layer, boolean biased, String... parts) {
        long values = 0;
        for (String part : parts) {
            long[] shape = checkpoint.tensors().get(LlamaTensors.layer(layer, part));
            values += shape[0] * shape[1];
        }
        FloatBuffer weight = direct(values);
        FloatBuffer bias = FloatBuffer.allocate(biased ? linear.out() : 0);
        for (String part : parts) {
            String name = LlamaTensors.layer(layer, part);
            checkpoint.read(name, weight);
            if (biased) {
                checkpoint.read(LlamaTensors.bias(name), bias);
            }
        }
        return linear.pack(weight.clear(), biased ? bias.array() : null);
    }

    private FloatValues vector(String name) {
        if (name == null) {
            return null;
        }
        int n = Math.toIntExact(checkpoint.tensors().get(name)[0]);
        FloatValues vector = Row.ofFloats(n);
        checkpoint.read(name, FloatBuffer.wrap(vector.values, 0, n));
        return vector;
    }

    private static FloatBuffer direct(long values) {
        return ByteBuffer.allocateDirect(Math.toIntExact(Float.BYTES * values)).order(ByteOrder.nativeOrder()).asFloatBuffer();
    }

    @Override
    public void close() {
        layers.forEach(Layer::close);
        heads.forEach(Weight::close);
        embeddings.forEach(RowMatrix::close);
        List.of(qkv, output, gate, up, down, head, lastHead).forEach(PackedLinear::close);
    }
}
