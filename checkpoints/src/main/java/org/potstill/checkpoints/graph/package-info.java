/**
 * The forward pass of a Llama-family decoder as ONNX graphs: {@link org.potstill.checkpoints.graph.LlamaGraph} scores text, {@link
 * org.potstill.checkpoints.graph.CachedLlamaGraph} generates it.
 */
package org.potstill.checkpoints.graph;
