// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints;

import java.nio.file.Path;
import java.util.Arrays;
import org.potstill.checkpoints.graph.CachedLlamaGraph;
import org.potstill.checkpoints.graph.DecodingLoop;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.graph.TokenChoice;
import org.potstill.checkpoints.graph.WritingGraph;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.TensorSource;

/** A Llama-family model on disk with access to its tensors, whatever the file format. */
public interface Checkpoint extends CausalLm, TensorSource {
    @Override
    String fingerprint();

    @Override
    default int vocabSize() {
        return config().vocabSize();
    }

    @Override
    default int maxPositionEmbeddings() {
        return config().maxPositionEmbeddings();
    }

    @Override
    default long parameters() {
        return tensors().values().stream().mapToLong(shape -> Arrays.stream(shape).reduce(1, Math::multiplyExact)).sum();
    }

    @Override
    default void requirePrecision(Precision precision) {
        if ((precision == Precision.INT8 || precision == Precision.BF16) && config().traits().experts().count() > 0) {
            throw UnsupportedErrors.quantisedExperts(config().variant().family(), precision);
        }
    }

    @Override
    default OnnxModel onnx(LlamaGraph.Ending ending, Precision precision, Calibration calibration, Path scratch) {
        return new OnnxModel(LlamaGraph.build(config(), ending, LlamaGraph.Kernels.of(precision), precision), weights(precision, calibration, scratch));
    }

    /** Returns the folder with the file of weights, written if necessary, see {@link ExternalWeights} and {@link #onnx}. */
    default Path weights(Precision precision, Calibration calibration, Path scratch) {
        return ExternalWeights.materialize(this, precision, () -> calibration.channelMaxima(
                onnx(LlamaGraph.Ending.CHANNEL_MAXIMA, Precision.FP32, calibration, scratch)), scratch);
    }

    @Override
    default OnnxModel cached(Path scratch) {
        return cached(Precision.FP32, null, scratch);
    }

    /**
     * Returns the forward pass for generating text, in a given precision.
     *
     * @param precision   FP32 or INT8
     * @param calibration see {@link #onnx}
     */
    default OnnxModel cached(Precision precision, Calibration calibration, Path scratch) {
        return new OnnxModel(CachedLlamaGraph.build(config(), precision), weights(precision, calibration, scratch));
    }

    /**
     * Returns the forward pass for writing many texts at a time, see {@link WritingGraph}.
     *
     * @param precision   FP32 or INT8
     * @param calibration see {@link #onnx}
     */
    default OnnxModel writing(Precision precision, TokenChoice choice, Calibration calibration, Path scratch) {
        return new OnnxModel(WritingGraph.build(config(), precision, choice), weights(precision, calibration, scratch));
    }

    /**
     * Returns the forward pass that writes many texts on a GPU, see {@link DecodingLoop}.
     *
     * @param precision FP16 or, on CPUs, FP32
     */
    default OnnxModel decoding(Precision precision, TokenChoice choice, Path scratch) {
        return new OnnxModel(DecodingLoop.build(config(), precision, choice), weights(precision, null, scratch));
    }
}
