package org.potstill.student;

import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.nd4j.Nd4jRuntime;

/** Which {@link Decoder} computes. */
enum DecoderKind {
    FUSED {
        @Override
        Decoder decoder(CausalLmConfig config, DataType type, Objective objective) {
            return new FusedDecoder(config, type, objective, false);
        }
    },
    /** Layers keep their inputs only. */
    FUSED_CHECKPOINTING {
        @Override
        Decoder decoder(CausalLmConfig config, DataType type, Objective objective) {
            return new FusedDecoder(config, type, objective, true);
        }
    },
    ND4J {
        @Override
        Decoder decoder(CausalLmConfig config, DataType type, Objective objective) {
            return new Nd4jDecoder(config, type, objective);
        }
    };

    abstract Decoder decoder(CausalLmConfig config, DataType type, Objective objective);

    /** ND4J's operations on its CUDA backend, and otherwise the decoder that is made for CPUs. */
    static DecoderKind of(boolean gradientCheckpointing) {
        return Nd4jRuntime.isCuda() ? ND4J : gradientCheckpointing ? FUSED_CHECKPOINTING : FUSED;
    }
}
