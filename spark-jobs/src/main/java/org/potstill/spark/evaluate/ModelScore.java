package org.potstill.spark.evaluate;

import org.potstill.spark.Comparison;

/**
 * How a model did on the held-out text.
 *
 * @param name            "teacher", "student" or "untrained student"
 * @param parameters      numbers in it
 * @param bytes           of its weights as stored; 0 where it is not stored
 * @param perplexity      exp of the mean −log p of the token that came next
 * @param accuracy        share of positions whose most probable token came next
 * @param agreement       share of positions whose most probable token is the teacher's
 * @param kl              mean KL(teacher‖model), in nats, over full distributions
 * @param tokensPerSecond of its forward pass, one sequence at a time, full logits
 */
public record ModelScore(String name, long parameters, long bytes, double perplexity, double accuracy, double agreement,
        double kl, double tokensPerSecond) {
    public static ModelScore of(String name, long parameters, long bytes, Comparison sums) {
        double n = sums.positions();
        return new ModelScore(name, parameters, bytes, Math.exp(sums.loss() / n), sums.correct() / n, sums.agreed() / n,
                sums.kl() / n, sums.seconds() == 0 ? 0 : n / sums.seconds());
    }
}
