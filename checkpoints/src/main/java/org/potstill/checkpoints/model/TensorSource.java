// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.nio.FloatBuffer;
import java.util.Map;

/**
 * The tensors of a Llama-family model, whatever the file format. They have Hugging Face names ({@code
 * model.layers.0.self_attn.q_proj.weight}); linear weights are {@code [out, in]}; Q and K projections are in Hugging
 * Face's half-split rotary order.
 */
public interface TensorSource {
    CausalLmConfig config();

    /** Returns the SHA-256, in hex, of all that decides what the model computes. */
    String fingerprint();

    /** Returns the shapes of all tensors by Hugging Face name. */
    Map<String, long[]> tensors();

    /** Reads the tensor's values, dequantised and row-major, into {@code target} from its position on. */
    default void read(String name, FloatBuffer target) {
        long[] shape = tensors().get(name);
        readRows(name, 0, shape == null || shape.length == 1 ? 1 : shape[0], target);
    }

    /** Reads some rows of a matrix (a vector is one row), for tensors larger than any buffer. */
    void readRows(String name, long firstRow, long rowCount, FloatBuffer target);
}
