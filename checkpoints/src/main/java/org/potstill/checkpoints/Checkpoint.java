package org.potstill.checkpoints;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/**
 * A Llama-family model on disk with access to its tensors, whatever the file format. They have Hugging Face names ({@code
 * model.layers.0.self_attn.q_proj.weight}); linear weights are {@code [out, in]}; Q and K projections are in Hugging
 * Face's half-split rotary order.
 */
public interface Checkpoint extends CausalLm {
    CausalLmConfig config();

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
    default OnnxModel onnx(LlamaGraph.Ending ending, Precision precision, Calibration calibration, Path scratch) {
        // Half precision is for GPUs.
        LlamaGraph.Kernels kernels = precision == Precision.FP16 ? LlamaGraph.Kernels.GPU : LlamaGraph.Kernels.FUSED;
        return new OnnxModel(LlamaGraph.build(config(), ending, kernels, precision), weights(precision, calibration, scratch));
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

    /** Returns the shapes of all tensors by Hugging Face name. */
    Map<String, long[]> tensors();

    /** Reads the tensor's values, dequantised and row-major, into {@code target} from its position on. */
    default void read(String name, FloatBuffer target) {
        long[] shape = tensors().get(name);
        readRows(name, 0, shape == null || shape.length == 1 ? 1 : shape[0], target);
    }

    /** Reads some rows of a matrix (a vector is one row), for tensors larger than any buffer. */
    void readRows(String name, long firstRow, long rowCount, FloatBuffer target);
}
