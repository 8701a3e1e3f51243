package org.potstill.student;

import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.CausalLmConfig;

/**
 * The mathematics of a Llama decoder (Touvron et al. 2023): forward, loss, backward. Knows nothing of Deeplearning4j;
 * {@link CausalDecoderLayer} puts it there.
 */
final class Decoder {
    private final CausalLmConfig config;
    private final DataType type;
    private final Attention attention;
    private final LanguageModelHead head;
    private final RotaryAngles angles;
    private Activations memory;

    Decoder(CausalLmConfig config, DataType type, double alpha) {
        this.config = config;
        this.type = type;
        this.attention = new Attention(config, type);
        this.head = new LanguageModelHead(config.vocabSize(), type, alpha);
        this.angles = new RotaryAngles(config, type);
    }

    /** The loss of a batch, no gradient. */
    StepLoss loss(PackedBatch batch, Weights weights) {
        return head.loss(batch.targets(), forward(batch, weights), weights.embedTokens());
    }

    /** Logits of every row, {@code [rows, vocabSize]}, into {@code logits}. */
    void logits(PackedBatch batch, Weights weights, Matrix logits) {
        Gemm.timesTransposed(forward(batch, weights), weights.embedTokens(), logits, 0);
    }

    /** The loss of a batch; replaces {@code gradients} by its gradient. */
    StepLoss lossAndGradient(PackedBatch batch, Weights weights, Weights gradients) {
        Matrix hidden = forward(batch, weights);
        int rows = batch.rows();
        Matrix dNormed = memory.dNormed.rows(0, rows);
        StepLoss loss = head.lossAndGradient(batch.targets(), hidden, weights.embedTokens(), dNormed,
                gradients.embedTokens());
        Matrix dStream = memory.dStream.rows(0, rows);
        Kernels.zero(dStream);
        Kernels.rmsNormBackward(dNormed, memory.last.rows(0, rows), weights.norm(), config.rmsNormEps(), dStream,
                gradients.norm());
        for (int i = config.numHiddenLayers() - 1; i >= 0; i--) {
            backward(batch, weights.blocks()[i], gradients.blocks()[i], memory.blocks[i], dStream);
        }
        Kernels.scatterAdd(dStream, batch.ids(), gradients.embedTokens());
        return loss;
    }

    void free() {
        if (memory != null) {
            memory.free();
        }
        attention.free();
        head.free();
        angles.free();
    }

    private Matrix forward(PackedBatch batch, Weights weights) {
        int rows = batch.rows();
        if (memory == null || memory.capacity < rows) {
            if (memory != null) {
                memory.free();
            }
            memory = new Activations(config, type, rows);
        }
        angles.reserve(batch.longest());
        Kernels.gather(weights.embedTokens(), batch.ids(), memory.blocks[0].input());
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            boolean top = i + 1 == config.numHiddenLayers();
            Matrix next = top ? memory.last : memory.blocks[i + 1].input();
            forward(batch, weights.blocks()[i], memory.blocks[i], next.rows(0, rows));
        }
        Matrix normed = memory.lastNormed.rows(0, rows);
        Kernels.rmsNorm(memory.last.rows(0, rows), weights.norm(), config.rmsNormEps(), normed);
        return normed;
    }

    private void forward(PackedBatch batch, Weights.Block w, Activations.Block memory, Matrix next) {
        int rows = batch.rows();
        Matrix input = memory.input().rows(0, rows);
        Matrix inputNormed = memory.inputNormed().rows(0, rows);
        Matrix qkv = memory.qkv().rows(0, rows);
        Matrix attended = memory.attended().rows(0, rows);
        Matrix middle = memory.middle().rows(0, rows);
        Matrix middleNormed = memory.middleNormed().rows(0, rows);
        Matrix gateUp = memory.gateUp().rows(0, rows);
        Matrix activated = memory.activated().rows(0, rows);

        Kernels.rmsNorm(input, w.inputLayernorm(), config.rmsNormEps(), inputNormed);
        Gemm.timesTransposed(inputNormed, w.qkvProj(), qkv, 0);
        Kernels.rotate(queriesAndKeys(qkv), config.headDim(), angles.table(), batch.positions(), 1);
        attention.forward(batch, qkv, attended);
        Kernels.copy(input, middle);
        Gemm.timesTransposed(attended, w.oProj(), middle, 1);

        Kernels.rmsNorm(middle, w.postAttentionLayernorm(), config.rmsNormEps(), middleNormed);
        Gemm.timesTransposed(middleNormed, w.gateUpProj(), gateUp, 0);
        Kernels.swiGlu(gateUp, activated);
        Kernels.copy(middle, next);
        Gemm.timesTransposed(activated, w.downProj(), next, 1);
    }

    /** {@code dStream} comes in as the gradient by the layer's output and leaves as the one by its input. */
    private void backward(PackedBatch batch, Weights.Block w, Weights.Block dw, Activations.Block block,
            Matrix dStream) {
        int rows = batch.rows();
        Matrix dNormed = memory.dNormed.rows(0, rows);
        Matrix dQkv = memory.dQkv.rows(0, rows);
        Matrix dAttended = memory.dAttended.rows(0, rows);
        Matrix dActivated = memory.dActivated.rows(0, rows);
        Matrix qkv = block.qkv().rows(0, rows);
        Matrix gateUp = block.gateUp().rows(0, rows);

        Gemm.transposedTimes(dStream, block.activated().rows(0, rows), dw.downProj(), 0);
        Gemm.times(dStream, w.downProj(), dActivated, 0);
        Kernels.swiGluBackward(gateUp, dActivated);
        Gemm.transposedTimes(gateUp, block.middleNormed().rows(0, rows), dw.gateUpProj(), 0);
        Gemm.times(gateUp, w.gateUpProj(), dNormed, 0);
        Kernels.rmsNormBackward(dNormed, block.middle().rows(0, rows), w.postAttentionLayernorm(),
                config.rmsNormEps(), dStream, dw.postAttentionLayernorm());

        Gemm.transposedTimes(dStream, block.attended().rows(0, rows), dw.oProj(), 0);
        Gemm.times(dStream, w.oProj(), dAttended, 0);
        attention.backward(batch, qkv, dAttended, dQkv);
        Kernels.rotate(queriesAndKeys(dQkv), config.headDim(), angles.table(), batch.positions(), -1);
        Gemm.transposedTimes(dQkv, block.inputNormed().rows(0, rows), dw.qkvProj(), 0);
        Gemm.times(dQkv, w.qkvProj(), dNormed, 0);
        Kernels.rmsNormBackward(dNormed, block.input().rows(0, rows), w.inputLayernorm(), config.rmsNormEps(),
                dStream, dw.inputLayernorm());
    }

    private Matrix queriesAndKeys(Matrix qkv) {
        int width = (config.numAttentionHeads() + config.numKeyValueHeads()) * config.headDim();
        return qkv.block(0, qkv.rows(), 0, width);
    }
}
