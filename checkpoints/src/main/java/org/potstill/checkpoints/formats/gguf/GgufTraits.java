// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.util.List;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.Traits;

/** What sets a model apart, in the terms of GGUF metadata: the inverse of {@link GgufConfig}. */
final class GgufTraits {
    private final CausalLmConfig config;
    private final Variant variant;
    private final Traits traits;
    private final Family family;

    GgufTraits(CausalLmConfig config) {
        this.config = config;
        this.variant = config.variant();
        this.traits = config.traits();
        this.family = variant.family();
    }

    /**
     * Rejects models that llama.cpp's graphs of these architectures would compute differently.
     *
     * @throws org.potstill.errors.UserException if this is one
     */
    void requireKnownToLlamaCpp() {
        if (traits.experts().count() > 0) {
            throw CheckpointErrors.notForGguf("mixtures of experts are not written");
        }
        if (!variant.ropeDivisors().isEmpty() && !isLinear() && divisorTensors().isEmpty()) {
            throw CheckpointErrors.notForGguf("llama.cpp scales no rotary frequencies one by one in a " + family + " model");
        }
        boolean biasOfOutput = family == Family.QWEN3 || family == Family.OLMO2 || family.isGemma();
        if (biasOfOutput && variant.attentionBias()) {
            throw CheckpointErrors.notForGguf("llama.cpp knows no bias of the output projection in a " + family + " model");
        }
        boolean ownHeads = family != Family.QWEN2 && family != Family.OLMO2 && family != Family.PHI3;
        if (!ownHeads && config.numAttentionHeads() * config.headDim() != config.hiddenSize()) {
            throw CheckpointErrors.notForGguf("llama.cpp knows no heads of their own size in a " + family + " model, and "
                    + config.numAttentionHeads() + " of " + config.headDim() + " are not " + config.hiddenSize() + " wide");
        }
        if (family == Family.SMOLLM3) {
            require(traits.rotary().unrotatedLayers().equals(layers(true, GgufConfig.SMOLLM3_PERIOD)),
                    "leaves out the rotary embedding in every fourth layer");
        }
        if (family.isGemma()) {
            require(variant.slidingLayers().equals(layers(false, family == Family.GEMMA2 ? 2 : 6)), "has its sliding windows in other layers");
            require(Math.abs(config.attentionScale() * Math.sqrt(config.headDim()) - 1) < 1e-6, "scales attention by the width of heads");
            require(traits.rotary().localTheta() == (family == Family.GEMMA3_TEXT ? 10_000 : 0), "turns local layers by the base 10000");
        }
    }

    private void require(boolean condition, String what) {
        if (!condition) {
            throw CheckpointErrors.notForGguf("llama.cpp " + what + " of a " + family + " model");
        }
    }

    /** Returns every so-manieth layer, or all others. */
    private List<Integer> layers(boolean those, int period) {
        return IntStream.range(0, config.numHiddenLayers()).filter(layer -> those == ((layer + 1) % period == 0)).boxed().toList();
    }

    /** Returns whether llama.cpp knows the model's sliding windows. */
    boolean hasWindows() {
        return family.isGemma();
    }

    private boolean isLinear() {
        List<Float> divisors = variant.ropeDivisors();
        return !divisors.isEmpty() && family != Family.PHI3 && divisors.stream().allMatch(divisors.get(0)::equals);
    }

    /** Returns the names of the tensors with the divisors of rotary frequencies, all with the same content. */
    List<String> divisorTensors() {
        if (variant.ropeDivisors().isEmpty() || isLinear()) {
            return List.of();
        }
        return switch (family) {
            case LLAMA, MISTRAL -> List.of(GgmlNames.ROPE_DIVISORS);
            case PHI3 -> List.of(GgufRope.SHORT, GgufRope.LONG);
            default -> List.of();
        };
    }

    List<Float> storedDivisors() {
        return divisorTensors().isEmpty() ? List.of() : variant.ropeDivisors();
    }

    void write(GgufHeaderWriter header, String architecture, int context) {
        if (variant.slidingWindow() > 0 && (hasWindows() || family == Family.MISTRAL || family == Family.PHI3)) {
            header.put(architecture + ".attention.sliding_window", variant.slidingWindow());
        }
        if (isLinear()) {
            header.put(architecture + "." + GgufRope.TYPE, "linear").put(architecture + "." + GgufRope.FACTOR, variant.ropeDivisors().get(0));
        }
        if (family == Family.PHI3 && !storedDivisors().isEmpty()) {
            header.put(architecture + "." + GgufRope.ORIGINAL, context);
        }
        if (traits.rotary().factor() != 1) {
            header.put(architecture + "." + GgufRope.ATTENTION, (float) traits.rotary().factor());
        }
        if (family == Family.GRANITE) {
            header.put(architecture + ".attention.scale", (float) config.attentionScale())
                    .put(architecture + ".embedding_scale", (float) traits.scales().embedding())
                    .put(architecture + ".residual_scale", (float) traits.scales().residual())
                    .put(architecture + ".logit_scale", (float) (1 / traits.scales().logits()));
        }
        if (family == Family.GEMMA2) {
            header.put(architecture + "." + GgufConfig.ATTENTION_CAP, (float) traits.softcaps().attention())
                    .put(architecture + "." + GgufConfig.LOGITS_CAP, (float) traits.softcaps().logits());
        }
    }
}
