// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;

/** RMSNorm (Zhang and Sennrich 2019, arXiv 1910.07467), forward and backward. */
final class RmsNorms {
    private final Operators ops;
    private final CausalLmConfig config;
    private final BatchShape shape;

    RmsNorms(Operators ops, CausalLmConfig config, BatchShape shape) {
        this.ops = ops;
        this.config = config;
        this.shape = shape;
    }

    /**
     * A norm that has been computed.
     *
     * @param input   {@code [N, C]}
     * @param gain    {@code [1, C]}; null where there is no norm, and the output is the input
     * @param output  {@code [N, C]}
     * @param inverse {@code [N, 1]}, the reciprocal of the root of the mean square
     * @param perRow  norms per row of the batch
     */
    record Norm(String input, String gain, String output, String inverse, int columns, int perRow) {
    }

    /**
     * Gradients of a norm.
     *
     * @param input {@code [N, C]}
     * @param gain  {@code [1, C]}; null where there is no norm
     */
    record Gradient(String input, String gain) {
    }

    /** Adds a norm of rows; none for a null gain. */
    Norm forward(String x, String gain, int columns) {
        return forward(x, gain, columns, 1);
    }

    Norm forward(String x, String gain, int columns, int perRow) {
        if (gain == null) {
            return new Norm(x, null, x, null, columns, perRow);
        }
        String[] normed = ops.graph().nodes("SimplifiedLayerNormalization", List.of(x, ops.reshape(gain, columns)), 2,
                attribute("axis", -1L), attribute("epsilon", config.rmsNormEps()));
        return new Norm(x, gain, normed[0], normed[1], columns, perRow);
    }

    /** With x̂ = x·r and t = dOut·x̂, the gradient is {@code dx = r·(dOut·gain − x̂·mean(t·gain))} and that of the gain Σ t. */
    Gradient backward(String dOutput, Norm norm) {
        if (norm.gain == null) {
            return new Gradient(dOutput, null);
        }
        String scaled = ops.mul(norm.input, norm.inverse);
        String terms = ops.mul(dOutput, scaled);
        String means = ops.product(terms, false, norm.gain, true, 1.0 / norm.columns);
        String dInput = ops.mul(norm.inverse, ops.sub(ops.mul(dOutput, norm.gain), ops.mul(scaled, means)));
        return new Gradient(dInput, shape.columnSums(terms, norm.perRow));
    }
}
