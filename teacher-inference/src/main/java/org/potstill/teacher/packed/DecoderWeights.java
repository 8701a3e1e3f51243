// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

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

    /** Whether {@link #output} and {@link #down} add to the residual stream; otherwise they store what is still to be scaled or normalised. */
    final boolean addsPlainly;
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
    private final CausalLmConfig config;

    /** Reads and packs all weights; the checkpoint is not needed afterwards. */
    DecoderWeights(Checkpoint checkpoint, RowMatrix.Type type) {
        WeightReader reader = new WeightReader(checkpoint);
        this.config = checkpoint.config();
        int hidden = config.hiddenSize();
        int inner = config.intermediateSize();
        int queries = config.numAttentionHeads() * config.headDim();
        int keys = config.numKeyValueHeads() * config.headDim();
        addsPlainly = !config.traits().norms().after() && config.traits().scales().residual() == 1;
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
            layers.add(layer(reader, i));
        }
        finalNorm = reader.vector(LlamaTensors.FINAL_NORM);
        readEmbeddings(reader);
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

    private void readEmbeddings(WeightReader reader) {
        boolean tied = config.tieWordEmbeddings();
        int hidden = config.hiddenSize();
        for (int chunk = 0; chunk < chunks(); chunk++) {
            int size = chunkSize(chunk);
            FloatBuffer values = reader.rows(LlamaTensors.EMBEDDING, chunk * CHUNK, size, hidden);
            RowMatrix rows = new RowMatrix(RowMatrix.Type.FP32, size, hidden);
            rows.floats().put(0, values, 0, size * hidden);
            embeddings.add(rows);
            FloatBuffer ofHead = tied ? values : reader.rows(LlamaTensors.HEAD, chunk * CHUNK, size, hidden);
            heads.add((chunk == chunks() - 1 ? lastHead : head).pack(ofHead, null));
        }
    }

    private Layer layer(WeightReader reader, int i) {
        boolean headNorms = config.headNorms();
        return new Layer(reader.pack(qkv, i, config.variant().attentionBias(), "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
                reader.pack(output, i, config.outputBias(), "self_attn.o_proj"), reader.pack(gate, i, config.variant().mlpBias(), "mlp.gate_proj"),
                reader.pack(up, i, config.variant().mlpBias(), "mlp.up_proj"), reader.pack(down, i, config.variant().mlpBias(), "mlp.down_proj"),
                reader.vector(LlamaTensors.attentionInputNorm(config, i)), reader.vector(LlamaTensors.attentionOutputNorm(config, i)),
                reader.vector(LlamaTensors.feedForwardInputNorm(config, i)), reader.vector(LlamaTensors.feedForwardOutputNorm(config, i)),
                headNorms ? reader.vector(LlamaTensors.layer(i, "self_attn.q_norm")) : null, headNorms ? reader.vector(LlamaTensors.layer(i, "self_attn.k_norm")) : null);
    }

    @Override
    public void close() {
        layers.forEach(Layer::close);
        heads.forEach(Weight::close);
        embeddings.forEach(RowMatrix::close);
        List.of(qkv, output, gate, up, down, head, lastHead).forEach(PackedLinear::close);
    }
}
