package org.potstill.checkpoints;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * The forward pass of a Llama-family decoder over whole sequences as an ONNX graph, as a teacher makes it; see
 * {@link LlamaLayers}.
 *
 * <p>Inputs: {@code input_ids [B, T]}, padded on the right with any valid id; {@code positions [N]}, the flat indices
 * {@code b·T + t} of all positions that are not padding. Activations are packed, {@code [N, H]}: whatever the lengths,
 * no linear layer works on padding, but for {@link Kernels#GPU}. Only attention sees {@code [B, T]}, where each sequence attends to itself alone and
 * the causal mask keeps what follows it from reaching it.
 *
 * <p>{@link Ending#SCORES} takes also {@code next_ids [N, 1]} and {@code k [1]}, and gives per position the k most
 * probable ids, their log-probabilities, that of the next token, and the entropy of the distribution: the logits
 * themselves, 4·V bytes a position, never leave the graph. {@link Ending#DRAWS} takes {@code uniforms [N, 3, S]} in the
 * place of k, see {@link CategoricalDraws}, and gives S ids drawn from each distribution, and the mass that they are drawn
 * from; {@link Ending#SCORES_AND_DRAWS} takes both and draws from what is not among the k. {@link Ending#LOGITS} gives all
 * logits, {@code [N, V]}.
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
    public static final String UNIFORMS = "uniforms";
    public static final String DRAWS = "draws";
    public static final String DRAWN_MASS = "drawn_mass";
    public static final String LOGITS = "logits";
    /** Uniform numbers a draw: for a group of blocks, a block of ids, an id. */
    public static final int DRAW_STEPS = 3;
    /** Ids in a block. */
    public static final int DRAW_BLOCK = 64;
    /** Ids in a group. */
    public static final int DRAW_GROUP = 32 * DRAW_BLOCK;

    /**
     * What the graph computes of the logits. CHANNEL_MAXIMA: nothing; instead an output of each linear layer's input,
     * named after its weight (the first of several that share theirs), {@code [in]}: the largest magnitude of each channel.
     */
    public enum Ending {
        SCORES, DRAWS, SCORES_AND_DRAWS, LOGITS, CHANNEL_MAXIMA;

        /** Whether the k most probable ids are among what it gives. */
        public boolean hasTop() {
            return this == SCORES || this == SCORES_AND_DRAWS;
        }

        public boolean hasDraws() {
            return this == DRAWS || this == SCORES_AND_DRAWS;
        }
    }

    /**
     * PLAIN spells attention and norm out in standard operators, the reference; FUSED uses ONNX Runtime's own, whose
     * attention takes heads of a multiple of 16 only: other models get plain attention. GPU uses more of them, in the ways
     * that suit a GPU, see {@link GpuAttention} and {@link GpuScores}, and does not pack: moving rows costs a GPU more than
     * computing on the padding.
     */
    public enum Kernels { PLAIN, FUSED, GPU }

    private LlamaGraph() {
    }

    /** A serialised ONNX model whose weights are those that {@link ExternalWeights} writes. */
    public static byte[] build(CausalLmConfig config, Ending ending, Kernels kernels, Precision precision) {
        OnnxGraph graph = new OnnxGraph("llama");
        LlamaLayers layers = new LlamaLayers(graph, config, kernels, precision, ending == Ending.CHANNEL_MAXIMA);
        String inputIds = graph.input(INPUT_IDS, DataType.INT64, "B", "T");
        String positions = graph.input(POSITIONS, DataType.INT64, "N");
        boolean packed = kernels != Kernels.GPU;
        String cos = layers.weight(WeightsLayout.ROPE_COS);
        String sin = layers.weight(WeightsLayout.ROPE_SIN);
        LlamaLayers.Attention attention = kernels == Kernels.GPU && GpuAttention.supports(config)
                ? new GpuAttention(graph, config, inputIds, cos, sin)
                : new LlamaAttention(graph, config, precision, inputIds, packed ? positions : null, cos, sin,
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

    /** Under what name the largest magnitudes of a weight's input come out. */
    static String channelMaxima(String weight) {
        return weight + ".channel_maxima";
    }
}
