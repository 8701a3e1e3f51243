// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.student.decoder.Weights;
import org.potstill.student.errors.StudentErrors;

/**
 * Initialisation of a student from a checkpoint, such as its teacher: embeddings, norms, head, and all or some of the layers,
 * as in DistilBERT (Sanh et al. 2019, arXiv 1910.01108). A student with all layers equals the checkpoint.
 */
public final class InitialWeights {
    private static final String LAYERS = "model.layers.";
    private static final int VALUES_AT_ONCE = 1 << 20;
    private static final Variant WINDOWLESS = new Variant(Family.MISTRAL, false, false, 0, List.of(), List.of());

    private InitialWeights() {
    }

    /**
     * Returns the shape of a student initialised with some of a checkpoint's layers; each keeps its attention window.
     *
     * @param name   the checkpoint's name in messages
     * @param layers number of layers
     * @param choice which of the checkpoint's layers to take
     * @throws org.potstill.errors.UserException if the checkpoint has fewer layers
     */
    public static CausalLmConfig shape(CausalLmConfig from, String name, int layers, LayerChoice choice) {
        if (layers > from.numHiddenLayers()) {
            throw StudentErrors.initialWeightsMisfit(name, "num_hidden_layers", from.numHiddenLayers(), layers);
        }
        int[] chosen = choice.layers(from.numHiddenLayers(), layers);
        Variant variant = from.variant().ofLayers(chosen);
        return new CausalLmConfig(from.vocabSize(), from.hiddenSize(), from.intermediateSize(), layers, from.numAttentionHeads(),
                from.numKeyValueHeads(), from.headDim(), from.maxPositionEmbeddings(), from.rmsNormEps(), from.ropeTheta(),
                from.tieWordEmbeddings(), variant);
    }

    /**
     * Copies a checkpoint's weights into a student, a block of rows at a time.
     *
     * @param name    the checkpoint's name in messages
     * @param student a student of {@link #shape}; epsilon, rotary base and maximum length may differ, as they have no weights
     * @throws org.potstill.errors.UserException if the shapes do not match
     */
    public static void copy(Checkpoint checkpoint, String name, Student student, LayerChoice choice) {
        CausalLmConfig config = student.config();
        requireFit(shape(checkpoint.config(), name, config.numHiddenLayers(), choice), name, config);
        int[] layers = choice.layers(checkpoint.config().numHiddenLayers(), config.numHiddenLayers());
        int from = 0;
        for (Map.Entry<String, long[]> tensor : Weights.shapes(config).entrySet()) {
            long[] shape = tensor.getValue();
            long rows = shape.length == 1 ? 1 : shape[0];
            int columns = Math.toIntExact(shape[shape.length - 1]);
            int rowsAtOnce = Math.max(1, VALUES_AT_ONCE / columns);
            FloatBuffer values = FloatBuffer.allocate(Math.toIntExact(Math.min(rowsAtOnce, rows) * columns));
            for (long row = 0; row < rows; row += rowsAtOnce) {
                checkpoint.readRows(source(tensor.getKey(), layers), row, Math.min(rowsAtOnce, rows - row), values.clear());
                from += values.position();
                student.writeParameters(from - values.position(), requireFinite(values.flip(), name, tensor.getKey()));
            }
        }
    }

    private static FloatBuffer requireFinite(FloatBuffer values, String name, String tensor) {
        for (int i = 0; i < values.limit(); i++) {
            if (!Float.isFinite(values.get(i))) {
                throw StudentErrors.initialWeightNotFinite(name, tensor, values.get(i));
            }
        }
        return values;
    }

    /** Returns the name of the checkpoint's tensor that becomes the given tensor of the student. */
    private static String source(String tensor, int[] layers) {
        if (!tensor.startsWith(LAYERS)) {
            return tensor;
        }
        int dot = tensor.indexOf('.', LAYERS.length());
        return LAYERS + layers[Integer.parseInt(tensor.substring(LAYERS.length(), dot))] + tensor.substring(dot);
    }

    private static void requireFit(CausalLmConfig from, String name, CausalLmConfig student) {
        require(name, "vocab_size", from.vocabSize(), student.vocabSize());
        require(name, "hidden_size", from.hiddenSize(), student.hiddenSize());
        require(name, "intermediate_size", from.intermediateSize(), student.intermediateSize());
        require(name, "num_attention_heads", from.numAttentionHeads(), student.numAttentionHeads());
        require(name, "num_key_value_heads", from.numKeyValueHeads(), student.numKeyValueHeads());
        require(name, "head_dim", from.headDim(), student.headDim());
        require(name, "tie_word_embeddings", from.tieWordEmbeddings(), student.tieWordEmbeddings());
        require(name, "its family's part", llama(from.variant()), llama(student.variant()));
    }

    /** Maps a Mistral without a window, which computes the same as a Llama, to a Llama. */
    private static Variant llama(Variant variant) {
        return variant.equals(WINDOWLESS) ? Variant.PLAIN : variant;
    }

    private static void require(String name, String what, Object from, Object student) {
        if (!from.equals(student)) {
            throw StudentErrors.initialWeightsMisfit(name, what, from, student);
        }
    }
}
