package org.potstill.checkpoints;

import java.nio.FloatBuffer;
import java.util.Map;

/**
 * A causal language model on disk, its tensors named as Hugging Face names them
 * ({@code model.layers.0.self_attn.q_proj.weight}), linear weights as {@code [out, in]}, whatever the file format.
 * Q and K projections are in Hugging Face's half-split rotary order. Safe for use by several threads; closing it closes
 * the files.
 */
public interface Checkpoint extends AutoCloseable {
    CausalLmConfig config();

    /** Hugging Face name to shape. */
    Map<String, long[]> tensors();

    /** Writes the tensor's values, dequantised, row-major, into {@code target} from its position on. */
    default void read(String name, FloatBuffer target) {
        long[] shape = tensors().get(name);
        readRows(name, 0, shape == null || shape.length == 1 ? 1 : shape[0], target);
    }

    /** The same for some rows of a matrix (a vector is one row), for tensors that no buffer can hold. */
    void readRows(String name, long firstRow, long rowCount, FloatBuffer target);

    /** The content of a {@code tokenizer.json} that tokenizes as this checkpoint's tokenizer does. */
    TokenizerDefinition tokenizer();

    /** SHA-256, in hex, of all that decides what the model computes: a GGUF file, or a folder's weights and configuration. */
    String fingerprint();

    @Override
    void close();
}
