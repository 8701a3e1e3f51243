// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.io.Serializable;
import java.util.List;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.model.CausalLmConfig.Family;

/**
 * Properties of the forward pass in which a model differs from a plain Llama. Families are presets of these: the graph and
 * the student's decoder know properties, not families.
 *
 * @param scales     constant factors
 * @param softcaps   bounds of logits
 * @param norms      where a sublayer is normalised
 * @param headNorms  norms of queries and keys, before the rotary embedding
 * @param activation of the feed-forward's gate
 * @param rotary     the rotary embedding
 * @param experts    the feed-forward's experts
 */
public record Traits(Scales scales, Softcaps softcaps, NormPlacement norms, HeadNorms headNorms, Activation activation, Rotary rotary,
        Experts experts) implements Serializable {
    /** Those of a plain Llama. */
    public static final Traits PLAIN = new Traits(Scales.NONE, Softcaps.NONE, NormPlacement.PRE, HeadNorms.NONE, Activation.SILU, Rotary.ALL, Experts.NONE);

    /**
     * Constant factors, as in Granite and Gemma.
     *
     * @param embedding of the embedding table's rows on input
     * @param residual  of a sublayer's output before it is added to the residual stream
     * @param attention of the scores; 0 for {@code 1 / √headDim}
     * @param logits    of the logits
     */
    public record Scales(double embedding, double residual, double attention, double logits) implements Serializable {
        public static final Scales NONE = new Scales(1, 1, 0, 1);

        public Scales {
            requirePositive("the embeddings' scale", embedding);
            requirePositive("the residual scale", residual);
            requirePositive("the logits' scale", logits);
            if (attention != 0) {
                requirePositive("the attention's scale", attention);
            }
        }
    }

    /**
     * Softcapping, {@code cap · tanh(x / cap)}, as in Gemma 2 (arXiv 2408.00118).
     *
     * @param attention cap of the attention's scores; 0 for none
     * @param logits    cap of the logits; 0 for none
     */
    public record Softcaps(double attention, double logits) implements Serializable {
        public static final Softcaps NONE = new Softcaps(0, 0);

        public Softcaps {
            for (double cap : new double[] {attention, logits}) {
                if (cap != 0) {
                    requirePositive("a softcap", cap);
                }
            }
        }
    }

    /** Where an RMSNorm stands: before a sublayer (Llama), after it (OLMo 2, arXiv 2501.00656), or both (Gemma). */
    public enum NormPlacement {
        PRE, POST, BOTH;

        public boolean before() {
            return this != POST;
        }

        public boolean after() {
            return this != PRE;
        }
    }

    /** RMSNorms of queries and keys: none, one for each head (Qwen3, Gemma 3), or one over all heads together (OLMo 2). */
    public enum HeadNorms { NONE, EACH, ALL }

    /** SiLU, or GELU in its approximation by tanh (Hendrycks and Gimpel 2016, arXiv 1606.08415). */
    public enum Activation { SILU, GELU_TANH }

    /**
     * The rotary embedding.
     *
     * @param dimensions       number of a head's dimensions that are rotated; 0 for all
     * @param unrotatedLayers  indices of the layers without it, ascending
     * @param localTheta       base in sliding layers, where no divisors apply; 0 for the same in all layers
     * @param factor           of cosines and sines where {@link CausalLmConfig#ropeTheta} is the base (the attention factor of YaRN, arXiv 2309.00071)
     */
    public record Rotary(int dimensions, List<Integer> unrotatedLayers, float localTheta, double factor) implements Serializable {
        public static final Rotary ALL = new Rotary(0, List.of(), 0, 1);

        public Rotary {
            unrotatedLayers = List.copyOf(unrotatedLayers);
            requirePositive("the rotary embedding's factor", factor);
            if (localTheta != 0) {
                requirePositive("the local rope_theta", localTheta);
            }
        }

        public Rotary withUnrotatedLayers(List<Integer> layers) {
            return new Rotary(dimensions, layers, localTheta, factor);
        }
    }

    /**
     * A mixture of experts in place of each feed-forward (Jiang et al. 2024, arXiv 2401.04088): a router chooses some for each
     * position, whose outputs are added, weighted by its probabilities.
     *
     * @param count      number of experts; 0 for an ordinary feed-forward
     * @param perToken   number that is chosen
     * @param normalized whether the weights of those chosen add up to 1
     */
    public record Experts(int count, int perToken, boolean normalized) implements Serializable {
        public static final Experts NONE = new Experts(0, 0, false);
        private static final int MAX = 1 << 10;

        public Experts {
            if (count < 0 || count > MAX || perToken < 0 || perToken > count || (count == 0) != (perToken == 0)) {
                throw CheckpointErrors.badConfig("a model's configuration", perToken + " of " + count + " experts");
            }
        }
    }

    /** Returns what all models of a family have in common. */
    public static Traits of(Family family) {
        return switch (family) {
            case LLAMA, MISTRAL, QWEN2, SMOLLM3, GRANITE, PHI3, MIXTRAL -> PLAIN;
            case QWEN3, QWEN3_MOE -> PLAIN.with(HeadNorms.EACH);
            case OLMO2 -> new Traits(Scales.NONE, Softcaps.NONE, NormPlacement.POST, HeadNorms.ALL, Activation.SILU, Rotary.ALL, Experts.NONE);
            case GEMMA2 -> new Traits(Scales.NONE, Softcaps.NONE, NormPlacement.BOTH, HeadNorms.NONE, Activation.GELU_TANH, Rotary.ALL, Experts.NONE);
            case GEMMA3_TEXT -> new Traits(Scales.NONE, Softcaps.NONE, NormPlacement.BOTH, HeadNorms.EACH, Activation.GELU_TANH, Rotary.ALL, Experts.NONE);
        };
    }

    private Traits with(HeadNorms norms) {
        return new Traits(scales, softcaps, this.norms, norms, activation, rotary, experts);
    }

    public Traits with(Scales scales) {
        return new Traits(scales, softcaps, norms, headNorms, activation, rotary, experts);
    }

    public Traits with(Softcaps softcaps) {
        return new Traits(scales, softcaps, norms, headNorms, activation, rotary, experts);
    }

    public Traits with(Rotary rotary) {
        return new Traits(scales, softcaps, norms, headNorms, activation, rotary, experts);
    }

    public Traits with(Experts experts) {
        return new Traits(scales, softcaps, norms, headNorms, activation, rotary, experts);
    }

    private static void requirePositive(String what, double value) {
        if (!(value > 0 && value < 1e9)) {
            throw CheckpointErrors.badConfig("a model's configuration", what + " is " + value);
        }
    }
}
