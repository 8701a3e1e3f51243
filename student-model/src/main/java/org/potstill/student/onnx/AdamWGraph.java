// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.student.options.TrainingOptions;

/** Clipping by the global norm and AdamW, with the arithmetic of {@link org.potstill.student.dl4j.FusedAdamW}. */
final class AdamWGraph {
    private final Operators ops;
    private final TrainingOptions options;

    AdamWGraph(Operators ops, TrainingOptions options) {
        this.ops = ops;
        this.options = options;
    }

    /** Parameters and moments of one tensor. */
    record State(String parameters, String first, String second) {
    }

    /** Returns the L2 norm of all gradients together, a scalar in double precision. */
    String norm(List<String> gradients) {
        String squares = null;
        for (String gradient : gradients) {
            String ofRows = ops.graph().node("ReduceSumSquare", List.of(gradient), attribute("axes", new long[] {-1}), attribute("keepdims", 0L));
            String sum = ops.sum(ops.doubles(ofRows));
            squares = squares == null ? sum : ops.add(squares, sum);
        }
        return ops.node("Sqrt", squares);
    }

    /** Returns the factor that clips gradients of this norm, a scalar; null for no clipping. */
    String clip(String norm) {
        if (options.maxGradientNorm() == 0) {
            return null;
        }
        String ratio = ops.div(ops.graph().scalar(options.maxGradientNorm()), ops.max(norm, ops.graph().scalar(Double.MIN_NORMAL)));
        return ops.cast(ops.node("Min", ratio, ops.graph().scalar(1.0)), DataType.FLOAT);
    }

    /**
     * Returns the state after a step.
     *
     * @param clip  see {@link #clip}
     * @param rate  the learning rate with the correction of both moments' bias, a scalar
     * @param decay the learning rate times the weight decay, a scalar; null for none
     */
    State step(State before, String gradient, String clip, String rate, String decay) {
        String g = clip == null ? gradient : ops.mul(clip, gradient);
        String first = ops.add(scaled(before.first, options.beta1()), scaled(g, 1 - options.beta1()));
        String second = ops.add(scaled(before.second, options.beta2()), ops.mul(scaled(g, 1 - options.beta2()), g));
        String root = ops.add(ops.node("Sqrt", second), ops.graph().scalar((float) options.epsilon()));
        String parameters = ops.sub(before.parameters, ops.div(ops.mul(rate, first), root));
        return new State(decay == null ? parameters : ops.sub(parameters, ops.mul(decay, before.parameters)), first, second);
    }

    private String scaled(String x, double factor) {
        return ops.mul(ops.graph().scalar((float) factor), x);
    }
}
