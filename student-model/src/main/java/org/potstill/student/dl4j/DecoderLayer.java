// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.dl4j;

import java.util.List;
import org.deeplearning4j.nn.api.layers.IOutputLayer;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.layers.BaseLayer;
import org.deeplearning4j.nn.workspace.ArrayType;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.decoder.Decoder;
import org.potstill.student.loss.StepLoss;

/** A {@link Decoder} adapted to Deeplearning4j's output layer; {@link DecoderLayerConf} describes its inputs. */
public final class DecoderLayer extends BaseLayer<DecoderLayerConf> implements IOutputLayer {
    private static final long serialVersionUID = 1L;

    private final transient Decoder decoder;
    private final CausalLmConfig config;
    private transient INDArray labels;
    private transient INDArray featuresMask;
    private transient StepLoss loss;
    private double alpha;

    DecoderLayer(NeuralNetConfiguration conf, DataType type, Decoder decoder, CausalLmConfig config, double alpha) {
        super(conf, type);
        this.decoder = decoder;
        this.config = config;
        this.alpha = alpha;
    }

    /** Sets the weight of the divergence. */
    public void setAlpha(double alpha) {
        this.alpha = alpha;
    }

    /** Returns the losses of the last batch, or null if there is none. */
    public StepLoss loss() {
        return loss;
    }

    @Override
    public void setParamsViewArray(INDArray view) {
        super.setParamsViewArray(view);
        decoder.setParameters(view);
    }

    @Override
    public void setBackpropGradientsViewArray(INDArray view) {
        super.setBackpropGradientsViewArray(view);
        decoder.setGradients(view);
    }

    @Override
    public void setInput(INDArray input, LayerWorkspaceMgr workspaceMgr) {
        super.setInput(input, workspaceMgr);
        loss = null;
    }

    @Override
    public Pair<Gradient, INDArray> backpropGradient(INDArray epsilon, LayerWorkspaceMgr workspaceMgr) {
        loss = decoder.lossAndGradient(batch(), alpha);
        Gradient gradient = new DefaultGradient(gradientsFlattened);
        gradientViews.forEach((key, view) -> gradient.setGradientFor(key, view, 'c'));
        return new Pair<>(gradient, null);
    }

    @Override
    public double computeScore(double fullNetworkRegScore, boolean training, LayerWorkspaceMgr workspaceMgr) {
        if (loss == null) {
            loss = decoder.loss(batch(), alpha);
        }
        score = loss.total() + fullNetworkRegScore;
        return score;
    }

    /** Returns 0: decoupled weight decay is part of the step, not of the loss. */
    @Override
    public double calcRegularizationScore(boolean backpropParamsOnly) {
        return 0;
    }

    /** Returns the logits, {@code [batch, time, vocabSize]}; those of padding are zero. */
    @Override
    public INDArray activate(boolean training, LayerWorkspaceMgr workspaceMgr) {
        PackedBatch batch = PackedBatch.of(input, featuresMask, null, null);
        INDArray packed = decoder.logits(batch);
        long width = input.size(1);
        if (batch.rows() == input.length()) {
            return packed.reshape('c', input.size(0), width, config.vocabSize());
        }
        INDArray padded = workspaceMgr.create(ArrayType.ACTIVATIONS, dataType, new long[] {input.size(0), width, config.vocabSize()},
                'c');
        for (int s = 0; s < batch.sequences(); s++) {
            int from = batch.starts()[s];
            int to = batch.starts()[s + 1];
            padded.get(NDArrayIndex.point(s), NDArrayIndex.interval(0, to - from), NDArrayIndex.all())
                    .assign(packed.get(NDArrayIndex.interval(from, to), NDArrayIndex.all()));
        }
        packed.close();
        return padded;
    }

    @Override
    public Pair<INDArray, org.deeplearning4j.nn.api.MaskState> feedForwardMaskArray(INDArray mask,
            org.deeplearning4j.nn.api.MaskState state, int minibatchSize) {
        featuresMask = mask;
        return new Pair<>(mask, state);
    }

    @Override
    public void clear() {
        super.clear();
        featuresMask = null;
        labels = null;
    }

    @Override
    public boolean needsLabels() {
        return true;
    }

    @Override
    public void setLabels(INDArray labels) {
        this.labels = labels;
    }

    @Override
    public INDArray getLabels() {
        return labels;
    }

    @Override
    public boolean isPretrainLayer() {
        return false;
    }

    @Override
    public void clearNoiseWeightParams() {
        // Weight noise is not used.
    }

    public void free() {
        decoder.free();
    }

    private PackedBatch batch() {
        return PackedBatch.of(input, featuresMask, labels, maskArray);
    }

    // The methods of Classifier, a superinterface of IOutputLayer, assume dense labels: a row of scores per example.

    @Override
    public INDArray computeScoreForExamples(double fullNetworkRegScore, LayerWorkspaceMgr workspaceMgr) {
        throw notAClassifier();
    }

    @Override
    public double f1Score(DataSet data) {
        throw notAClassifier();
    }

    @Override
    public double f1Score(INDArray examples, INDArray denseLabels) {
        throw notAClassifier();
    }

    @Override
    @Deprecated
    public int numLabels() {
        return config.vocabSize();
    }

    @Override
    public int[] predict(INDArray examples) {
        throw notAClassifier();
    }

    @Override
    public List<String> predict(DataSet dataSet) {
        throw notAClassifier();
    }

    @Override
    public void fit(DataSetIterator iterator) {
        throw notAClassifier();
    }

    @Override
    public void fit(INDArray examples, INDArray denseLabels) {
        throw notAClassifier();
    }

    @Override
    public void fit(DataSet data) {
        throw notAClassifier();
    }

    @Override
    public void fit(INDArray examples, int[] classes) {
        throw notAClassifier();
    }

    private static UnsupportedOperationException notAClassifier() {
        return new UnsupportedOperationException("a language model, not a classifier: train its network");
    }
}
