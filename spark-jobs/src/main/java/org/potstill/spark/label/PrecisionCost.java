package org.potstill.spark.label;

/**
 * What a teacher's precision cost, measured before the pass on some of the sequences to score.
 *
 * @param precision in which the teacher computes
 * @param kl        mean KL(the same in FP32‖teacher) over full distributions, in nats
 * @param agreement share of positions whose most probable token is the same
 * @param positions that it was measured on
 */
public record PrecisionCost(String precision, double kl, double agreement, long positions) {
}
