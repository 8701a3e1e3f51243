// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.student.loss.Divergence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.Tail;

/**
 * The loss over rows of logits and its gradient: the same mathematics as {@link org.potstill.student.loss.PositionLoss}. What
 * concerns only the tokens that the teacher kept is in double precision.
 */
final class LossGraph {
    private static final double SMALLEST = Double.MIN_NORMAL;
    /** See {@code PositionLoss}. */
    private static final double ROUNDING = 1e-6;

    private final Operators ops;
    private final Objective objective;
    private final int vocabSize;
    private final String one;

    LossGraph(Operators ops, Objective objective, int vocabSize) {
        this.ops = ops;
        this.objective = objective;
        this.vocabSize = vocabSize;
        this.one = ops.graph().scalar(1.0);
    }

    /**
     * Rows of targets.
     *
     * @param nextIds       {@code [N, 1]}, INT32
     * @param keptIds       {@code [N, K]}, INT32; −1 where fewer are kept
     * @param probabilities {@code [N, K]}
     * @param weights       {@code [N, 1]}, each row's share of the mean
     */
    record Rows(String nextIds, String keptIds, String probabilities, String weights) {
    }

    /**
     * Losses and the gradient.
     *
     * @param divergence   sum over the rows, weighted, as {@code crossEntropy}; double precision
     * @param dLogits      gradient of the weighted loss, {@code [N, V]}
     */
    record Loss(String divergence, String crossEntropy, String dLogits) {
    }

    /** Terms of a divergence and their slopes, see {@link Divergence#term} and {@link Divergence#slope}. */
    private record Terms(String terms, String slopes) {
    }

    /** @param alpha weight of the divergence, a scalar in double precision */
    Loss add(String logits, Rows rows, String alpha) {
        String zero = ops.cast(ops.graph().scalar(0L), DataType.INT32);
        String valid = ops.node("GreaterOrEqual", rows.keptIds, zero);
        String ids = ops.max(rows.keptIds, zero);
        String largest = ops.graph().node("ReduceMax", List.of(logits), attribute("axes", new long[] {-1}), attribute("keepdims", 1L));
        String z = ops.sub(logits, largest);
        String exps = ops.node("Exp", z);
        String keptExps = ops.mul(ops.pick(exps, ids), ops.floats(valid));
        // Kept tokens become exactly 0: the sum of the others, as one less the sum of these, would suffer cancellation.
        String others = ops.scatterAdd(exps, ids, ops.node("Neg", keptExps));
        String tail = ops.max(ops.doubles(ops.rowSums(others)), ops.graph().scalar((double) Float.MIN_NORMAL));

        String kept = ops.doubles(valid);
        String count = ops.rowSums(kept);
        String p = ops.mul(ops.doubles(rows.probabilities), kept);
        String e = ops.doubles(keptExps);
        String mass = ops.rowSums(p);
        String keptSum = ops.rowSums(e);
        String sum = ops.add(tail, keptSum);
        boolean renormalise = objective.tail() == Tail.RENORMALISE;
        String whole = renormalise ? ops.max(keptSum, ops.graph().scalar((double) Float.MIN_NORMAL)) : sum;
        String q = renormalise ? ops.div(p, ops.add(mass, ops.doubles(ops.node("Less", count, one)))) : p;
        String s = ops.div(e, whole);
        Terms terms = terms(q, s, ops.sub(ops.doubles(ops.pick(z, ids)), ops.node("Log", whole)));
        String divergence = ops.rowSums(terms.terms);
        String slopes = ops.rowSums(terms.slopes);
        String pull = ops.graph().scalar(0.0);
        if (!renormalise) {
            String has = ops.doubles(ops.node("Less", count, ops.graph().scalar((double) vocabSize)));
            String rest = ops.div(tail, sum);
            Terms ghost = terms(ghost(mass), rest, ops.node("Log", rest));
            divergence = ops.add(divergence, ops.mul(has, ghost.terms));
            String slope = ops.mul(has, ghost.slopes);
            slopes = ops.add(slopes, slope);
            pull = ops.sub(ops.div(slope, rest), slopes);
        }
        String crossEntropy = ops.sub(ops.node("Log", sum), ops.doubles(ops.pick(z, rows.nextIds)));
        String beta = ops.sub(one, alpha);
        String weights = ops.doubles(rows.weights);
        String factor = ops.div(ops.add(ops.mul(alpha, pull), beta), sum);
        String keptGradient = ops.add(ops.mul(alpha, ops.sub(terms.slopes, ops.mul(s, slopes))), ops.mul(beta, ops.div(e, sum)));
        String dLogits = ops.mul(others, ops.floats(ops.mul(weights, factor)));
        dLogits = ops.scatterAdd(dLogits, ids, ops.floats(ops.mul(weights, keptGradient)));
        dLogits = ops.scatterAdd(dLogits, rows.nextIds, ops.floats(ops.mul(weights, ops.node("Neg", beta))));
        return new Loss(ops.sum(ops.mul(weights, divergence)), ops.sum(ops.mul(weights, crossEntropy)), dLogits);
    }

    /** Returns the teacher's mass on all other tokens, see {@code PositionLoss}. */
    private String ghost(String mass) {
        String ghost = ops.sub(one, mass);
        String rounding = ops.graph().scalar(ROUNDING);
        String counted = ops.mul(ghost, ops.doubles(ops.node("GreaterOrEqual", ghost, rounding)));
        return objective.divergence() == Divergence.REVERSE_KL ? ops.max(counted, rounding) : counted;
    }

    /** Where a probability is 0, its term is: the logarithm of {@link #SMALLEST} in its place is finite. */
    private Terms terms(String p, String s, String logS) {
        return switch (objective.divergence()) {
            case FORWARD_KL -> new Terms(ops.mul(p, ops.sub(log(p, SMALLEST), logS)), ops.node("Neg", p));
            case REVERSE_KL -> {
                String term = ops.mul(s, ops.sub(logS, log(p, Float.MIN_NORMAL)));
                yield new Terms(term, term);
            }
            case JSD -> {
                String half = ops.graph().scalar(0.5);
                String logM = log(ops.mul(half, ops.add(p, s)), SMALLEST);
                String slope = ops.mul(half, ops.mul(s, ops.sub(logS, logM)));
                yield new Terms(ops.add(slope, ops.mul(half, ops.mul(p, ops.sub(log(p, SMALLEST), logM)))), slope);
            }
        };
    }

    private String log(String x, double least) {
        return ops.node("Log", ops.max(x, ops.graph().scalar(least)));
    }
}
