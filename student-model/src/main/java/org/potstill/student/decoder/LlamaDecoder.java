// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.Traits;
import org.potstill.kernels.Bf16Products;
import org.potstill.kernels.GatedUnit;
import org.potstill.kernels.Kernels;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Products;
import org.potstill.kernels.RotaryAngles;
import org.potstill.kernels.Slices;
import org.potstill.student.batch.PackedBatch;
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
    /** Null in models without local frequencies. */
    private final RotaryAngles localAngles;
    private final ResidualStream residual;
    private final GatedUnit gatedUnit;
    private final Traits.Scales scales;
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
        this.head = new LanguageModelHead(config.vocabSize(), type, objective, config.traits().softcaps().logits());
        this.angles = RotaryAngles.global(config, type);
        this.localAngles = RotaryAngles.local(config, type);
        this.residual = new ResidualStream(config);
        this.gatedUnit = config.traits().activation() == Traits.Activation.SILU ? GatedUnit.SWIGLU : GatedUnit.GEGLU;
        this.scales = config.traits().scales();
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
            scale(top.normed().rows(from, to), scales.logits());
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
        scale(d.output(), scales.embedding());
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
        if (localAngles != null) {
            localAngles.free();
        }
    }

    /** Scales in place; does nothing for 1. */
    private static void scale(Matrix x, double factor) {
        if (factor != 1) {
            Kernels.scale(x, factor);
        }
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
        if (localAngles != null) {
            localAngles.reserve(batch.longest());
        }
        linear.weightsChanged();
        Matrix stream = memory.block(0, rows).input();
        Slices.run(rows, (from, to) -> {
            Kernels.gather(weights.embedTokens(), batch.ids(), from, stream.rows(from, to));
            scale(stream.rows(from, to), scales.embedding());
        });
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            forward(batch, i, memory.block(i, rows), memory.output(i, rows));
        }
        Matrix last = memory.output(config.numHiddenLayers() - 1, rows);
        Matrix normed = memory.lastNormed(rows);
        Slices.run(rows, (from, to) -> {
            Kernels.rmsNorm(last.rows(from, to), weights.norm(), config.rmsNormEps(), normed.rows(from, to));
            scale(normed.rows(from, to), scales.logits());
        });
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
            residual.norm(x.input(), w.attentionInputNorm(), x.inputNormed());
            product(x.inputNormed(), w.qkvProj(), w.qkvBias(), x.qkv());
            if (config.headNorms()) {
                headNorms.forward(x.qkv(), x.unnormed(), w);
            }
            rotate(x.qkv(), layer, batch, from, 1);
        });
        attention.forward(batch, block.qkv(), block.attended(), config.slidingWindow(layer));
        Slices.run(rows, (from, to) -> {
            Activations.Block x = block.rows(from, to);
            Kernels.copy(x.input(), x.middle());
            addOutput(x.attended(), w.oProj(), w.oBias(), x.attentionOutput(), w.attentionOutputNorm(), x.middle());
            residual.norm(x.middle(), w.feedForwardInputNorm(), x.middleNormed());
            product(x.middleNormed(), w.gateUpProj(), w.gateUpBias(), x.gateUp());
            gatedUnit.forward(x.gateUp(), x.activated());
            if (output != null) {
                Kernels.copy(x.middle(), output.rows(from, to));
                addOutput(x.activated(), w.downProj(), w.downBias(), x.feedForwardOutput(), w.feedForwardOutputNorm(), output.rows(from, to));
            } else if (w.feedForwardOutputNorm() != null) {
                product(x.activated(), w.downProj(), w.downBias(), x.feedForwardOutput());
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

    /** Adds a layer's rotary embedding in place, if it has one, or its inverse for {@code sign} −1. */
    private void rotate(Matrix qkv, int layer, PackedBatch batch, int from, int sign) {
        if (config.rotates(layer)) {
            Matrix table = (config.isLocal(layer) ? localAngles : angles).table();
            Kernels.rotate(queriesAndKeys(qkv), config.headDim(), table, batch.positions(), from, sign);
        }
    }

    /**
     * Adds a sublayer's output, {@code x·wᵀ + bias}, to the residual stream, normalised and scaled as the model has it.
     *
     * @param output receives the output before that; null to add it as it is
     */
    private void addOutput(Matrix x, Matrix w, Matrix bias, Matrix output, Matrix gain, Matrix stream) {
        if (output == null) {
            addProduct(x, w, bias, stream);
            return;
        }
        product(x, w, bias, output);
        residual.add(output, gain, stream);
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
        RowSums dFeedForwardInputNorm = new RowSums(dw.feedForwardInputNorm(), rows);
        RowSums dFeedForwardOutputNorm = new RowSums(dw.feedForwardOutputNorm(), rows);
        RowSums dAttentionInputNorm = new RowSums(dw.attentionInputNorm(), rows);
        RowSums dAttentionOutputNorm = new RowSums(dw.attentionOutputNorm(), rows);
        RowSums dQueryNorm = new RowSums(dw.queryNorm(), rows);
        RowSums dKeyNorm = new RowSums(dw.keyNorm(), rows);
        RowSums dDownBias = new RowSums(dw.downBias(), rows);
        RowSums dGateUpBias = new RowSums(dw.gateUpBias(), rows);
        RowSums dOBias = new RowSums(dw.oBias(), rows);
        RowSums dQkvBias = new RowSums(dw.qkvBias(), rows);
        Slices.run(rows, (from, to) -> {
            Activations.Block x = block.rows(from, to);
            Activations.Gradients d = gradient.rows(from, to);
            residual.outputBackward(d.output(), x.feedForwardOutput(), w.feedForwardOutputNorm(), d.feedForwardOutput(), dFeedForwardOutputNorm.at(from));
            dDownBias.add(from, d.feedForwardOutput());
            linear.times(d.feedForwardOutput(), w.downProj(), d.activated(), 0);
            gatedUnit.backward(x.gateUp(), d.activated());
            dGateUpBias.add(from, x.gateUp());
            linear.times(x.gateUp(), w.gateUpProj(), d.normed(), 0);
            Kernels.copy(d.output(), d.middle());
            residual.inputBackward(d.normed(), x.middle(), w.feedForwardInputNorm(), d.middle(), dFeedForwardInputNorm.at(from));
            residual.outputBackward(d.middle(), x.attentionOutput(), w.attentionOutputNorm(), d.attentionOutput(), dAttentionOutputNorm.at(from));
            dOBias.add(from, d.attentionOutput());
            linear.times(d.attentionOutput(), w.oProj(), d.attended(), 0);
        });
        attention.backward(batch, block.qkv(), gradient.attended(), gradient.qkv(), config.slidingWindow(layer));
        Slices.run(rows, (from, to) -> {
            Activations.Gradients d = gradient.rows(from, to);
            rotate(d.qkv(), layer, batch, from, -1);
            if (config.headNorms()) {
                headNorms.backward(d.qkv(), block.unnormed().rows(from, to), w, dQueryNorm.at(from), dKeyNorm.at(from));
            }
            dQkvBias.add(from, d.qkv());
            linear.times(d.qkv(), w.qkvProj(), d.normed(), 0);
            Kernels.copy(d.middle(), d.input());
            residual.inputBackward(d.normed(), block.input().rows(from, to), w.attentionInputNorm(), d.input(), dAttentionInputNorm.at(from));
        });
        List<Runnable> pieces = new ArrayList<>();
        addWeightGradient(gradient.feedForwardOutput(), block.activated(), dw.downProj(), pieces);
        // gateUp now holds its own gradient.
        addWeightGradient(block.gateUp(), block.middleNormed(), dw.gateUpProj(), pieces);
        addWeightGradient(gradient.attentionOutput(), block.attended(), dw.oProj(), pieces);
        addWeightGradient(gradient.qkv(), block.inputNormed(), dw.qkvProj(), pieces);
        Slices.all(pieces);
        for (RowSums sums : List.of(dFeedForwardInputNorm, dFeedForwardOutputNorm, dAttentionInputNorm, dAttentionOutputNorm, dQueryNorm, dKeyNorm, dDownBias, dGateUpBias, dOBias, dQkvBias)) {
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
