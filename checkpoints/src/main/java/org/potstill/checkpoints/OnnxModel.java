package org.potstill.checkpoints;

import java.nio.file.Path;

/**
 * A forward pass, ready for an engine.
 *
 * @param bytes   a serialised ONNX model
 * @param weights the folder of the files that it refers to
 */
public record OnnxModel(byte[] bytes, Path weights) {
}
