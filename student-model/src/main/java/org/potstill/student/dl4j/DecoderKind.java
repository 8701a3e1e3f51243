// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.dl4j;

import java.io.Serializable;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.OneDnn;
import org.potstill.nd4j.Nd4jRuntime;
import org.potstill.student.decoder.Decoder;
import org.potstill.student.decoder.LlamaDecoder;
import org.potstill.student.errors.StudentErrors;
import org.potstill.student.loss.Objective;
import org.potstill.student.nd4j.Nd4jDecoder;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/**
 * Choice of a {@link Decoder} implementation.
 *
 * @param nd4j          true for {@link Nd4jDecoder}, false for {@link LlamaDecoder}
 * @param checkpointing whether layers keep only their inputs for the backward pass
 * @param precision     precision of matrix products in linear layers
 */
record DecoderKind(boolean nd4j, boolean checkpointing, MatrixPrecision precision) implements Serializable {
    static final DecoderKind FUSED = new DecoderKind(false, false, MatrixPrecision.FP32);
    static final DecoderKind FUSED_CHECKPOINTING = new DecoderKind(false, true, MatrixPrecision.FP32);
    static final DecoderKind ND4J = new DecoderKind(true, false, MatrixPrecision.FP32);

    /** Chooses the decoder for these options: ND4J's operations on its CUDA backend, the fused decoder on CPUs. */
    static DecoderKind of(TrainingOptions options) {
        boolean bf16 = options.precision() == MatrixPrecision.BF16;
        if (bf16 && !OneDnn.canUseBf16()) {
            throw StudentErrors.noBf16();
        }
        return Nd4jRuntime.isCuda() ? ND4J : new DecoderKind(false, options.gradientCheckpointing(), options.precision());
    }

    Decoder decoder(CausalLmConfig config, DataType type, Objective objective) {
        return nd4j ? new Nd4jDecoder(config, type, objective) : new LlamaDecoder(config, type, objective, checkpointing, precision);
    }
}
