// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.TensorReader;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.Traits;
import org.potstill.checkpoints.model.YarnScaling;

/** What GGUF metadata and tensors say of the rotary embedding. */
final class GgufRope {
    static final String SHORT = "rope_factors_short.weight";
    static final String LONG = "rope_factors_long.weight";
    static final String TYPE = "rope.scaling.type";
    static final String FACTOR = "rope.scaling.factor";
    static final String ORIGINAL = "rope.scaling.original_context_length";
    static final String ATTENTION = "rope.scaling.attn_factor";

    private final GgufConfig config;
    private final GgufHeader header;
    private final int headDim;
    private final int rotated;
    private final String type;

    GgufRope(GgufConfig config, GgufHeader header, int headDim) {
        this.config = config;
        this.header = header;
        this.headDim = headDim;
        this.rotated = config.integer("rope.dimension_count", headDim);
        // As llama.cpp takes it: a factor without a type is linear.
        this.type = config.string(TYPE, "linear");
        if (config.family() != Family.PHI3) {
            config.requireEqual("rope.dimension_count", headDim);
        }
        if (!List.of("none", "linear", "yarn", "longrope").contains(type)) {
            throw config.unsupported("rotary embedding scaled by \"" + type + "\"", TYPE);
        }
    }

    /** Returns whether this is a tensor of divisors, which are part of the configuration. */
    static boolean isDivisors(String tensor, CausalLmConfig config) {
        return tensor.equals(GgmlNames.ROPE_DIVISORS)
                || config.variant().family() == Family.PHI3 && (tensor.equals(SHORT) || tensor.equals(LONG));
    }

    /** Returns the longest sequence: with short and long divisors, that for which the short ones are meant. */
    int positions(int context) {
        return header.tensors().containsKey(SHORT) ? Math.min(context, config.integer(ORIGINAL, context)) : context;
    }

    double theta() {
        return config.real("rope.freq_base", 10_000.0);
    }

    Traits.Rotary rotary(List<Integer> unrotatedLayers) {
        float local = config.family() == Family.GEMMA3_TEXT ? (float) config.real("rope.freq_base_swa", 10_000.0) : 0;
        double factor = config.real(ATTENTION, 1.0);
        if (type.equals("yarn")) {
            factor *= 0.1 * Math.log(Math.max(1, factor())) + 1;
        }
        return new Traits.Rotary(rotated == headDim ? 0 : rotated, unrotatedLayers, local, factor == 0 ? 1 : factor);
    }

    private double factor() {
        double factor = type.equals("none") ? 1 : config.real(FACTOR, config.real("rope.scale_linear", 1.0));
        return factor == 0 ? 1 : factor;
    }

    /** Returns the divisors of the frequencies; empty for 1. */
    List<Float> divisors() {
        for (String name : List.of(GgmlNames.ROPE_DIVISORS, SHORT)) {
            GgufHeader.Tensor tensor = header.tensors().get(name);
            if (tensor != null && (name.equals(GgmlNames.ROPE_DIVISORS) || config.family() == Family.PHI3)) {
                if (factor() != 1 && !type.equals("longrope")) {
                    throw config.unsupported("a scale of " + factor() + " beside the tensor " + name, FACTOR);
                }
                return stored(tensor);
            }
        }
        if (type.equals("yarn")) {
            return YarnScaling.divisors(rotated, theta(), factor(), config.integer(ORIGINAL, config.integer("context_length", null)),
                    config.real("rope.scaling.yarn_beta_fast", 32.0), config.real("rope.scaling.yarn_beta_slow", 1.0), true);
        }
        if (type.equals("longrope") && factor() != 1) {
            throw config.unsupported("rotary embedding scaled by \"longrope\" without a tensor " + SHORT, TYPE);
        }
        return factor() == 1 ? List.of() : Collections.nCopies(Math.min(rotated, CausalLmConfig.MAX_HEAD_DIM) / 2, (float) factor());
    }

    private List<Float> stored(GgufHeader.Tensor tensor) {
        if (!Arrays.equals(tensor.shape(), new long[] {rotated / 2})) {
            throw CheckpointErrors.wrongShape(config.path(), tensor.name(), tensor.shape(), new long[] {rotated / 2});
        }
        float[] divisors = new float[rotated / 2];
        TensorReader.read(tensor.file(), tensor.type(), tensor.offset(), divisors.length, FloatBuffer.wrap(divisors));
        List<Float> list = new ArrayList<>();
        for (float divisor : divisors) {
            list.add(divisor);
        }
        return list;
    }
}
