package org.potstill.student;

import java.nio.FloatBuffer;
import java.util.List;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.checkpoints.CausalLmConfig.Family;
import org.potstill.checkpoints.CausalLmConfig.Variant;
import org.potstill.checkpoints.Checkpoint;

/**
 * First weights from a checkpoint of the student's width, such as its teacher: embeddings, norms and evenly spaced layers,
 * the way DistilBERT begins (Sanh et al. 2019, arXiv 1910.01108). A student with all the layers is the checkpoint itself,
 * to go on with.
 */
public final class InitialWeights {
    private static final String LAYERS = "model.layers.";
    private static final Variant WINDOWLESS = new Variant(Family.MISTRAL, false, false, 0, List.of(), List.of());

    private InitialWeights() {
    }

    /**
     * Which layers of the checkpoint the student's begin as: the first, the last, and between them as evenly as whole
     * numbers allow. Six of twelve are 0, 2, 4, 7, 9 and 11, as in DistilBERT's own extraction; one is the first.
     */
    public static int[] layers(int of, int wanted) {
        int[] layers = new int[wanted];
        for (int i = 1; i < wanted; i++) {
            layers[i] = (int) Math.round(i * (of - 1.0) / (wanted - 1));
        }
        return layers;
    }

    /**
     * @param name    of the checkpoint, for messages
     * @param student of the checkpoint's width and vocabulary, and of as many layers or fewer
     * @return all parameters, as {@link Student#setParameters} takes them
     * @throws org.potstill.errors.UserException where the shapes do not fit
     */
    public static float[] read(Checkpoint checkpoint, String name, CausalLmConfig student) {
        requireFit(checkpoint.config(), name, student);
        int[] layers = layers(checkpoint.config().numHiddenLayers(), student.numHiddenLayers());
        FloatBuffer parameters = FloatBuffer.allocate(Math.toIntExact(DecoderParameters.count(student)));
        Weights.shapes(student).keySet().forEach(tensor -> checkpoint.read(source(tensor, layers), parameters));
        return parameters.array();
    }

    /** The checkpoint's name for what becomes a tensor of the student. */
    private static String source(String tensor, int[] layers) {
        if (!tensor.startsWith(LAYERS)) {
            return tensor;
        }
        int dot = tensor.indexOf('.', LAYERS.length());
        return LAYERS + layers[Integer.parseInt(tensor.substring(LAYERS.length(), dot))] + tensor.substring(dot);
    }

    private static void requireFit(CausalLmConfig from, String name, CausalLmConfig student) {
        Variant variant = from.variant();
        // A Mistral without a window is a Llama by another name.
        boolean plain = variant.equals(Variant.PLAIN) || variant.equals(WINDOWLESS);
        if (!plain || !from.tieWordEmbeddings()) {
            throw StudentErrors.foreignInitialWeights(name, plain ? "its head is a table of its own, and a student's is its embedding table"
                    : "it is no plain Llama: " + variant);
        }
        require(name, "vocab_size", from.vocabSize(), student.vocabSize());
        require(name, "hidden_size", from.hiddenSize(), student.hiddenSize());
        require(name, "intermediate_size", from.intermediateSize(), student.intermediateSize());
        require(name, "num_attention_heads", from.numAttentionHeads(), student.numAttentionHeads());
        require(name, "num_key_value_heads", from.numKeyValueHeads(), student.numKeyValueHeads());
        require(name, "head_dim", from.headDim(), student.headDim());
        if (student.numHiddenLayers() > from.numHiddenLayers()) {
            throw StudentErrors.initialWeightsMisfit(name, "num_hidden_layers", from.numHiddenLayers(), student.numHiddenLayers());
        }
    }

    private static void require(String name, String what, int from, int student) {
        if (from != student) {
            throw StudentErrors.initialWeightsMisfit(name, what, from, student);
        }
    }
}
