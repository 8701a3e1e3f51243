// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.nio.file.Path;

/**
 * A forward pass, ready for an engine.
 *
 * @param bytes   a serialised ONNX model
 * @param weights folder of the files that the model refers to
 */
public record OnnxModel(byte[] bytes, Path weights) {
}
