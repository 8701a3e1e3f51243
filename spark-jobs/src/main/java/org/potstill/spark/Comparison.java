package org.potstill.spark;

import java.io.Serializable;

/**
 * Sums over positions of a model set against the text and against the teacher, both with their full distributions.
 *
 * @param positions next-token predictions
 * @param loss      Σ −log p of the token that came next, in nats
 * @param correct   predictions whose most probable token came next
 * @param agreed    predictions whose most probable token is the teacher's
 * @param kl        Σ KL(teacher‖model), in nats
 * @param seconds   in the forward pass
 */
public record Comparison(long positions, double loss, long correct, long agreed, double kl, double seconds) implements Serializable {
    public static final Comparison NONE = new Comparison(0, 0, 0, 0, 0, 0);

    public Comparison plus(Comparison other) {
        return new Comparison(positions + other.positions, loss + other.loss, correct + other.correct, agreed + other.agreed,
                kl + other.kl, seconds + other.seconds);
    }

    /**
     * @param teacher logits, row-major {@code [tokens.length − 1, vocabSize]}
     * @param model   logits of the model, of the same shape
     * @param tokens  of the sequence; row t predicts token t + 1
     * @param seconds that the model took
     */
    public static Comparison of(float[] teacher, float[] model, int[] tokens, double seconds) {
        int positions = tokens.length - 1;
        int vocab = teacher.length / positions;
        double loss = 0;
        double kl = 0;
        long correct = 0;
        long agreed = 0;
        for (int t = 0; t < positions; t++) {
            int row = t * vocab;
            double teacherLse = logSumExp(teacher, row, vocab);
            double modelLse = logSumExp(model, row, vocab);
            loss += modelLse - model[row + tokens[t + 1]];
            double divergence = 0;
            for (int v = row; v < row + vocab; v++) {
                double logP = teacher[v] - teacherLse;
                divergence += Math.exp(logP) * (logP - (model[v] - modelLse));
            }
            kl += divergence;
            int best = argmax(model, row, vocab);
            correct += best == tokens[t + 1] ? 1 : 0;
            agreed += best == argmax(teacher, row, vocab) ? 1 : 0;
        }
        return new Comparison(positions, loss, correct, agreed, kl, seconds);
    }

    private static double logSumExp(float[] logits, int from, int count) {
        double max = Double.NEGATIVE_INFINITY;
        for (int i = from; i < from + count; i++) {
            max = Math.max(max, logits[i]);
        }
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += Math.exp(logits[i] - max);
        }
        return max + Math.log(sum);
    }

    private static int argmax(float[] logits, int from, int count) {
        int best = from;
        for (int i = from + 1; i < from + count; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best - from;
    }
}
