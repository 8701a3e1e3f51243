// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * The forward pass of a Llama-family decoder over whole sequences as an ONNX graph, for teachers; see {@link
 * LlamaLayers}.
 *
 * <p>Inputs: {@code input_ids [B, T]}, padded on the right with any valid id; {@code positions [N]}, the flat indices
 * {@code b·T + t} of all positions that are not padding. Activations are packed, {@code [N, H]}, so that linear layers
 * never process padding, except with {@link Kernels#GPU}. Only attention works on {@code [B, T]}: each sequence attends
 * to itself alone, under a causal mask.
 *
 * <p>{@link Ending#SCORES} also takes {@code next_ids [N, 1]} and {@code k [1]}. Per position it outputs the k most
 * probable ids, their log-probabilities, the log-probability of the next token, and the entropy of the distribution, in
 * nats: the logits themselves, 4·V bytes per position, never leave the graph. {@link Ending#DRAWS} takes {@code points
 * [N, S]} in double precision instead of k, see {@link CategoricalDraws}, and outputs S ids drawn from each distribution
 * and the mass they are drawn from. {@link Ending#SCORES_AND_DRAWS} takes both and draws from the tokens outside the top k. {@link
 * Ending#LOGITS} outputs all logits, {@code [N, V]}.
 */
public final class LlamaGraph {
    public static final String INPUT_IDS = "input_ids";
    public static final String POSITIONS = "positions";
    public static final String NEXT_IDS = "next_ids";
    public static final String K = "k";
    public static final String TOP_LOG_PROBABILITIES = "top_log_probabilities";
    public static final String TOP_IDS = "top_ids";
    public static final String NEXT_LOG_PROBABILITY = "next_log_probability";
    public static final String ENTROPY = "entropy";
    public static final String POINTS = "points";
    public static final String DRAWS = "draws";
    public static final String DRAWN_MASS = "drawn_mass";
    public static final String LOGITS = "logits";

    /**
     * Outputs of the graph, see {@link LlamaGraph}. CHANNEL_MAXIMA computes no logits, but for each linear layer the
     * largest magnitude of each input channel, {@code [in]}, named after its weight; layers that share an input share the
     * output, named after the first.
     */
    public enum Ending {
        SCORES, DRAWS, SCORES_AND_DRAWS, LOGITS, CHANNEL_MAXIMA;

        /** Returns whether the outputs include the k most probable ids. */
        public boolean hasTop() {
            return this == SCORES || this == SCORES_AND_DRAWS;
        }

        public boolean hasDraws() {
            return this == DRAWS || this == SCORES_AND_DRAWS;
        }
    }

    /**
     * Operators that the graph is built from. PLAIN, the reference, writes out attention and norm in standard operators.
     * FUSED uses ONNX Runtime's own, whose attention needs a head width that is a multiple of 16; other models get plain
     * attention. GPU uses more of them, as suits a GPU, see {@link GpuAttention} and {@link GpuScores}, and does not
     * pack: on a GPU, moving rows costs more than computing on padding.
     */
    public enum Kernels {
        PLAIN, FUSED, GPU;

        /** Returns the fastest for a precision: half precision is for GPUs. */
        public static Kernels of(Precision precision) {
            return precision == Precision.FP16 ? GPU : FUSED;
        }
    }

    private LlamaGraph() {
    }

    /** Returns a serialised ONNX model whose weights are the file that {@link ExternalWeights} writes. */
    public static byte[] build(CausalLmConfig config, Ending ending, Kernels kernels, Precision precision) {
        OnnxGraph graph = new OnnxGraph("llama");
        LlamaLayers layers = new LlamaLayers(graph, config, kernels, precision, ending == Ending.CHANNEL_MAXIMA);
        String inputIds = graph.input(INPUT_IDS, DataType.INT64, "B", "T");
        String positions = graph.input(POSITIONS, DataType.INT64, "N");
        boolean packed = kernels != Kernels.GPU;
        RotaryTables tables = RotaryTables.stored(config, layers);
        LlamaLayers.Attention attention = kernels == Kernels.GPU && GpuAttention.supports(config)
                ? new GpuAttention(graph, config, inputIds, tables)
                : new LlamaAttention(graph, config, precision, inputIds, packed ? positions : null, tables,
                        kernels != Kernels.PLAIN && config.headDim() % 16 == 0);
        String ids = graph.node("Reshape", List.of(inputIds, graph.longs(-1)));
        String hidden = layers.hidden(packed ? graph.node("Gather", List.of(ids, positions)) : ids, attention);
        if (!packed) {
            hidden = graph.node("Gather", List.of(hidden, positions));
        }
        if (kernels == Kernels.GPU && ending == Ending.SCORES) {
            GpuScores.add(graph, hidden, layers::rawLogits, config.vocabSize());
        } else if (ending != Ending.CHANNEL_MAXIMA) {
            LogitsEnding.add(graph, hidden, layers::logits, ending, config.vocabSize());
        }
        return graph.model();
    }

    /** Returns the name of the output with the channel maxima of a weight's input. */
    static String channelMaxima(String weight) {
        return weight + ".channel_maxima";
    }
}
