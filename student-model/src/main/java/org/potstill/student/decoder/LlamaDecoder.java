// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.kernels.Bf16Products;
import org.potstill.student.kernels.Kernels;
import org.potstill.student.kernels.Matrix;
import org.potstill.student.kernels.Products;
import org.potstill.student.kernels.Slices;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.MatrixPrecision;

/**
 * The decoder for CPUs: large matrix products, with everything between them fused into few passes over memory.
 *
 * <p>Work is split over threads by slices of rows, each of which runs independently between two attentions, and within
 * attention by heads. A weight's gradient sums over all rows, so it is split by the weight's rows at the end of each layer.
 */
public final class LlamaDecoder implements Decoder {
    private static final int WEIGHT_ROWS = 256;

    private final CausalLmConfig config;
    private final DataType type;
    private final boolean checkpointing;
    private final MatrixPrecision precision;
    private final Attention attention;
    private final HeadNorms headNorms;
    private final LanguageModelHead head;
    private final RotaryAngles angles;
    private Activations memory;
    private Weights<Matrix> weights;
    private Weights<Matrix> gradients;
    private Products linear = Products.exact();

    /**
     * @param checkpointing whether to keep only the layers' inputs and recompute the rest in the backward pass (Chen et al. 2016,
     *                      arXiv 1604.06174): a third more work, a fraction of the memory
     */
    public LlamaDecoder(CausalLmConfig config, DataType type, Objective objective, boolean checkpointing, MatrixPrecision precision) {
        this.config = config;
        this.type = type;
        this.checkpointing = checkpointing;
        this.precision = precision;
        this.attention = new Attention(config, type);
        this.headNorms = new HeadNorms(config);
        this.head = new LanguageModelHead(config.vocabSize(), type, objective);
        this.angles = RotaryAngles.global(config, type);
    }

    @Override
    public void setParameters(INDArray flat) {
        weights = Weights.of(config, flat, Matrix::of);
        if (precision == MatrixPrecision.BF16) {
            linear.free();
            linear = new Bf16Products(Matrix.of(flat, 1, Math.toIntExact(flat.length())));
        }
    }

    @Override
    public void setGradients(INDArray flat) {
        gradients = Weights.of(config, flat, Matrix::of);
    }

    @Override
    public StepLoss loss(PackedBatch batch, double alpha) {
        return head.loss(linear, batch.targets(), alpha, forward(batch), weights.head());
    }

    @Override
    public INDArray logits(PackedBatch batch) {
        INDArray logits = Nd4j.createUninitializedDetached(type, batch.rows(), config.vocabSize());
        head.logits(linear, forward(batch), weights.head(), Matrix.of(logits, batch.rows(), config.vocabSize()));
        return logits;
    }

    @Override
    public StepLoss lossAndGradient(PackedBatch batch, double alpha) {
        Matrix hidden = forward(batch);
        int rows = batch.rows();
        int layers = config.numHiddenLayers();
        Activations.Gradients top = memory.gradients(rows);
        StepLoss loss = head.lossAndGradient(linear, batch.targets(), alpha, hidden, weights.head(), top.normed(), gradients.head());
        if (!config.tieWordEmbeddings()) {
            Slices.run(config.vocabSize(), (from, to) -> Kernels.zero(gradients.embedTokens().rows(from, to)));
        }
        RowSums dGain = new RowSums(gradients.norm(), rows);
        Matrix last = memory.output(layers - 1, rows);
        Slices.run(rows, (from, to) -> {
            Matrix dOutput = top.output().rows(from, to);
            Kernels.zero(dOutput);
            Kernels.rmsNormBackward(top.normed().rows(from, to), last.rows(from, to), weights.norm(), config.rmsNormEps(), dOutput,
                    dGain.at(from));
        });
        dGain.store();
        Activations.Gradients d = top;
        for (int i = layers - 1; i >= 0; i--) {
            Activations.Block block = memory.block(i, rows);
            if (checkpointing && i < layers - 1) {
                forward(batch, i, block, null);
            }
            backward(batch, i, block, d);
            d = d.below();
        }
        Kernels.scatterAdd(d.output(), batch.ids(), gradients.embedTokens());
        return loss;
    }

    @Override
    public void free() {
        if (memory != null) {
            memory.free();
        }
        linear.free();
        attention.free();
        head.free();
        angles.free();
    }

    private Matrix forward(PackedBatch batch) {
        int rows = batch.rows();
        if (memory == null || memory.capacity < rows) {
            if (memory != null) {
                memory.free();
            }
            memory = new Activations(config, type, rows, checkpointing);
        }
        angles.reserve(batch.longest());
        linear.weightsChanged();
        Matrix stream = memory.block(0, rows).input();
        Slices.run(rows, (from, to) -> Kernels.gather(weights.embedTokens(), batch.ids(), from, stream.rows(from, to)));
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            forward(batch, i, memory.block(i, rows), memory.output(i, rows));
        }
        Matrix last = memory.output(config.numHiddenLayers() - 1, rows);
        Matrix normed = memory.lastNormed(rows);
        Slices.run(rows, (from, to) ->
                Kernels.rmsNorm(last.rows(from, to), weights.norm(), config.rmsNormEps(), normed.rows(from, to)));
        return normed;
    }

    /**
     * Runs one layer.
     *
     * @param output receives the layer's output; null to recompute only what the backward pass needs
     */
    private void forward(PackedBatch batch, int layer, Activations.Block block, Matrix output) {
        Weights.Block<Matrix> w = weights.blocks().get(layer);
        int rows = batch.rows();
        Slices.run(rows, (from, to) -> {
            Activations.Block x = block.rows(from, to);
            Kernels.rmsNorm(x.input(), w.inputLayernorm(), config.rmsNormEps(), x.inputNormed());
            product(x.inputNormed(), w.qkvProj(), w.qkvBias(), x.qkv());
            if (config.headNorms()) {
                headNorms.forward(x.qkv(), x.unnormed(), w);
            }
            Kernels.rotate(queriesAndKeys(x.qkv()), config.headDim(), angles.table(), batch.positions(), from, 1);
        });
        attention.forward(batch, block.qkv(), block.attended(), config.slidingWindow(layer));
        Slices.run(rows, (from, to) -> {
            Activations.Block x = block.rows(from, to);
            Kernels.copy(x.input(), x.middle());
            addProduct(x.attended(), w.oProj(), w.oBias(), x.middle());
            Kernels.rmsNorm(x.middle(), w.postAttentionLayernorm(), config.rmsNormEps(), x.middleNormed());
            product(x.middleNormed(), w.gateUpProj(), w.gateUpBias(), x.gateUp());
            Kernels.swiGlu(x.gateUp(), x.activated());
            if (output != null) {
                Kernels.copy(x.middle(), output.rows(from, to));
                addProduct(x.activated(), w.downProj(), w.downBias(), output.rows(from, to));
            }
        });
    }

    /** Computes {@code y = x·wᵀ + bias}; {@code bias} may be null. */
    private void product(Matrix x, Matrix w, Matrix bias, Matrix y) {
        if (bias != null) {
            Kernels.repeat(bias, y);
        }
        linear.timesTransposed(x, w, y, bias == null ? 0 : 1);
    }

    /** Computes {@code y = y + x·wᵀ + bias}; {@code bias} may be null. */
    private void addProduct(Matrix x, Matrix w, Matrix bias, Matrix y) {
        if (bias != null) {
            Kernels.addToRows(bias, y);
        }
        linear.timesTransposed(x, w, y, 1);
    }

    /** Backpropagates from {@code gradient.output} to {@code gradient.input}; overwrites the gradients of the layer's weights. */
    private void backward(PackedBatch batch, int layer, Activations.Block block, Activations.Gradients gradient) {
        Weights.Block<Matrix> w = weights.blocks().get(layer);
        Weights.Block<Matrix> dw = gradients.blocks().get(layer);
        int rows = batch.rows();
        RowSums dMiddleGain = new RowSums(dw.postAttentionLayernorm(), rows);
        RowSums dInputGain = new RowSums(dw.inputLayernorm(), rows);
        RowSums dQueryNorm = new RowSums(dw.queryNorm(), rows);
        RowSums dKeyNorm = new RowSums(dw.keyNorm(), rows);
        RowSums dDownBias = new RowSums(dw.downBias(), rows);
        RowSums dGateUpBias = new RowSums(dw.gateUpBias(), rows);
        RowSums dOBias = new RowSums(dw.oBias(), rows);
        RowSums dQkvBias = new RowSums(dw.qkvBias(), rows);
        Slices.run(rows, (from, to) -> {
            Activations.Block x = block.rows(from, to);
            Activations.Gradients d = gradient.rows(from, to);
            dDownBias.add(from, d.output());
            linear.times(d.output(), w.downProj(), d.activated(), 0);
            Kernels.swiGluBackward(x.gateUp(), d.activated());
            dGateUpBias.add(from, x.gateUp());
            linear.times(x.gateUp(), w.gateUpProj(), d.normed(), 0);
            Kernels.copy(d.output(), d.middle());
            Kernels.rmsNormBackward(d.normed(), x.middle(), w.postAttentionLayernorm(), config.rmsNormEps(), d.middle(),
                    dMiddleGain.at(from));
            dOBias.add(from, d.middle());
            linear.times(d.middle(), w.oProj(), d.attended(), 0);
        });
        attention.backward(batch, block.qkv(), gradient.attended(), gradient.qkv(), config.slidingWindow(layer));
        Slices.run(rows, (from, to) -> {
            Activations.Gradients d = gradient.rows(from, to);
            Kernels.rotate(queriesAndKeys(d.qkv()), config.headDim(), angles.table(), batch.positions(), from, -1);
            if (config.headNorms()) {
                headNorms.backward(d.qkv(), block.unnormed().rows(from, to), w, dQueryNorm.at(from), dKeyNorm.at(from));
            }
            dQkvBias.add(from, d.qkv());
            linear.times(d.qkv(), w.qkvProj(), d.normed(), 0);
            Kernels.copy(d.middle(), d.input());
            Kernels.rmsNormBackward(d.normed(), block.input().rows(from, to), w.inputLayernorm(), config.rmsNormEps(), d.input(),
                    dInputGain.at(from));
        });
        List<Runnable> pieces = new ArrayList<>();
        addWeightGradient(gradient.output(), block.activated(), dw.downProj(), pieces);
        // gateUp now holds its own gradient.
        addWeightGradient(block.gateUp(), block.middleNormed(), dw.gateUpProj(), pieces);
        addWeightGradient(gradient.middle(), block.attended(), dw.oProj(), pieces);
        addWeightGradient(gradient.qkv(), block.inputNormed(), dw.qkvProj(), pieces);
        Slices.all(pieces);
        for (RowSums sums : List.of(dMiddleGain, dInputGain, dQueryNorm, dKeyNorm, dDownBias, dGateUpBias, dOBias, dQkvBias)) {
            sums.store();
        }
    }

    /**
     * Adds pieces of work that together compute {@code dw = dyᵀ·x}. Each covers enough rows of the weight to justify repacking
     * all of x for the BLAS kernel.
     */
    private void addWeightGradient(Matrix dy, Matrix x, Matrix dw, List<Runnable> pieces) {
        int count = Math.max(1, dw.rows() / WEIGHT_ROWS);
        for (int i = 0; i < count; i++) {
            int from = dw.rows() * i / count;
            int to = dw.rows() * (i + 1) / count;
            pieces.add(() -> linear.transposedTimes(dy.block(0, dy.rows(), from, to), x, dw.rows(from, to), 0));
        }
    }

    private Matrix queriesAndKeys(Matrix qkv) {
        int width = (config.numAttentionHeads() + config.numKeyValueHeads()) * config.headDim();
        return qkv.block(0, qkv.rows(), 0, width);
    }
}
