// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.dl4j;

import java.util.Collection;
import java.util.List;
import org.deeplearning4j.nn.api.ParamInitializer;
import org.deeplearning4j.nn.conf.GradientNormalization;
import org.deeplearning4j.nn.conf.InputPreProcessor;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.WorkspaceMode;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.BaseLayer;
import org.deeplearning4j.nn.conf.memory.LayerMemoryReport;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.learning.regularization.Regularization;
import org.nd4j.linalg.learning.regularization.WeightDecay;
import org.nd4j.linalg.schedule.ISchedule;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.errors.StudentErrors;
import org.potstill.student.loss.Objective;
import org.potstill.student.options.TrainingOptions;

/**
 * A whole decoder of the Llama family with its loss, as the only layer of a Deeplearning4j network.
 *
 * <p>It is one layer because Deeplearning4j cannot share weights between layers and the head may be the embedding table. As a
 * consequence, Deeplearning4j's per-layer gradient clipping clips the global norm.
 *
 * <p>Features are token ids {@code [batch, time]}, padded on the right. Labels are {@code [batch, time, 1 + 2k]}: the
 * next token's id, then k ids that the teacher kept (−1 for none), then their probabilities. Masks are
 * {@code [batch, time]}; positions outside the label mask are excluded from all means. Ids are exact in single
 * precision up to 2²⁴, above any vocabulary size that {@link CausalLmConfig} allows.
 */
public final class DecoderLayerConf extends BaseLayer {
    private static final long serialVersionUID = 1L;
    /** All parameters must fit into one direct buffer of floats, whose size in bytes is an int. */
    private static final long MAX_PARAMETERS = (1 << 29) - 1;

    private final CausalLmConfig config;
    private final Objective objective;
    private final DecoderKind kind;
    private final double weightDecay;

    /**
     * @param weightDecay     decoupled weight decay, multiplied by the learning rate; applied to matrices only
     * @param maxGradientNorm limit of the gradient's L2 norm; 0 for no clipping
     */
    DecoderLayerConf(CausalLmConfig config, Objective objective, DecoderKind kind, double weightDecay, double maxGradientNorm,
            IUpdater updater) {
        this.config = config;
        this.objective = objective;
        this.kind = kind;
        this.weightDecay = weightDecay;
        setIUpdater(updater);
        setLayerName("decoder");
        if (maxGradientNorm > 0) {
            setGradientNormalization(GradientNormalization.ClipL2PerLayer);
            setGradientNormalizationThreshold(maxGradientNorm);
        }
    }

    /** Configures a network whose only layer is the decoder. */
    public static MultiLayerNetwork network(CausalLmConfig config, TrainingOptions options, long seed, DataType type) {
        ISchedule schedule = options.schedule();
        boolean sgd = options.optimizer() == TrainingOptions.Optimizer.SGD;
        IUpdater updater = sgd ? new Sgd(schedule)
                : new Adam.Builder().learningRateSchedule(schedule).beta1(options.beta1()).beta2(options.beta2())
                        .epsilon(options.epsilon()).build();
        return network(config, options.objective(), DecoderKind.of(options), sgd ? 0 : options.weightDecay(),
                options.maxGradientNorm(), updater, seed, type);
    }

    public static MultiLayerNetwork network(CausalLmConfig config, Objective objective, DecoderKind kind, double weightDecay,
            double maxGradientNorm, IUpdater updater, long seed, DataType type) {
        requirePossible(config);
        // The decoder reuses its own memory from step to step, so Deeplearning4j's workspaces would only add copies. The
        // gradient is already a mean, so it must not be divided by the batch size.
        MultiLayerConfiguration configuration = new NeuralNetConfiguration.Builder()
                .seed(seed)
                .dataType(type)
                .miniBatch(false)
                .trainingWorkspaceMode(WorkspaceMode.NONE)
                .inferenceWorkspaceMode(WorkspaceMode.NONE)
                .list()
                .layer(new DecoderLayerConf(config, objective, kind, weightDecay, maxGradientNorm, updater))
                .build();
        return new MultiLayerNetwork(configuration);
    }

    public static void requirePossible(CausalLmConfig config) {
        if (config.traits().experts().count() > 0) {
            throw StudentErrors.teacherOnly(config.variant().family());
        }
        if (DecoderParameters.count(config) > MAX_PARAMETERS) {
            throw StudentErrors.tooManyParameters(DecoderParameters.count(config));
        }
    }

    @Override
    public org.deeplearning4j.nn.api.Layer instantiate(NeuralNetConfiguration conf,
            Collection<TrainingListener> listeners, int layerIndex, INDArray layerParamsView, boolean initializeParams,
            DataType networkDataType) {
        DecoderLayer layer = new DecoderLayer(conf, networkDataType,
                kind.decoder(config, networkDataType, objective), config, objective.alpha());
        layer.setListeners(listeners);
        layer.setIndex(layerIndex);
        layer.setParamsViewArray(layerParamsView);
        layer.setParamTable(initializer().init(conf, layerParamsView, initializeParams));
        return layer;
    }

    @Override
    public ParamInitializer initializer() {
        return new DecoderParameters(config);
    }

    @Override
    public List<Regularization> getRegularizationByParam(String key) {
        return weightDecay == 0 || DecoderParameters.isVector(key)
                ? List.of() : List.of(new WeightDecay(weightDecay, true));
    }

    @Override
    public boolean isPretrainParam(String key) {
        return false;
    }

    @Override
    public InputType getOutputType(int layerIndex, InputType inputType) {
        return InputType.recurrent(config.vocabSize());
    }

    @Override
    public void setNIn(InputType inputType, boolean override) {
        // The configuration alone determines the width.
    }

    @Override
    public InputPreProcessor getPreProcessorForInputType(InputType inputType) {
        return null;
    }

    @Override
    public LayerMemoryReport getMemoryReport(InputType inputType) {
        long parameters = DecoderParameters.count(config);
        return new LayerMemoryReport.Builder(layerName, DecoderLayerConf.class, inputType,
                InputType.recurrent(config.vocabSize()))
                .standardMemory(parameters, getIUpdater().stateSize(parameters))
                .build();
    }
}
