// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats;

import java.nio.file.Files;
import java.nio.file.Path;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.gguf.GgufCheckpoint;
import org.potstill.checkpoints.formats.huggingface.HuggingFaceCheckpoint;
import org.potstill.checkpoints.formats.onnx.OnnxCausalLm;
import org.potstill.checkpoints.io.CheckpointErrors;

/** Opens models, whatever their file format. */
public final class Checkpoints {
    private Checkpoints() {
    }

    /**
     * Opens a checkpoint, recognised by content rather than name: a GGUF file, version 2 or 3, or a Hugging Face folder
     * with {@code config.json}, safetensors weights, whole or in shards, and {@code tokenizer.json}. Llama, Mistral,
     * Qwen2 and Qwen3 models are supported.
     *
     * @throws org.potstill.errors.UserException if it cannot be read, is damaged, or holds a model whose forward pass is
     *     not supported exactly
     */
    public static Checkpoint open(Path path) {
        if (!Files.isDirectory(path) && path.toString().endsWith(".safetensors")) {
            throw CheckpointErrors.weightsAlone(path);
        }
        return Files.isDirectory(path) ? HuggingFaceCheckpoint.open(path) : GgufCheckpoint.open(path);
    }

    /**
     * Opens a model: a ready-made ONNX graph if the file's name ends in {@code .onnx} or the folder holds one, such as
     * {@code model.onnx}, and no safetensors; otherwise a {@link Checkpoint}.
     *
     * @throws org.potstill.errors.UserException if the model cannot be read or used
     */
    public static CausalLm model(Path path) {
        return OnnxCausalLm.find(path).<CausalLm>map(OnnxCausalLm::open).orElseGet(() -> open(path));
    }
}
