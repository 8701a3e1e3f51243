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
     * Compares over the ids that both have: tables of models of one tokenizer may be padded to different lengths. The teacher's
     * distribution is that given such an id; what the model says of ids of its own is mass that it wastes.
     *
     * @param teacher logits, row-major {@code [tokens.length − 1, vocabSize]}
     * @param model   logits of the model, as many rows; all tokens are among its ids
     * @param tokens  of the sequence; row t predicts token t + 1
     * @param seconds that the model took
     */
    public static Comparison of(float[] teacher, float[] model, int[] tokens, double seconds) {
        int positions = tokens.length - 1;
        int teacherVocab = teacher.length / positions;
        int modelVocab = model.length / positions;
        int common = Math.min(teacherVocab, modelVocab);
        double loss = 0;
        double kl = 0;
        long correct = 0;
        long agreed = 0;
        for (int t = 0; t < positions; t++) {
            int teacherRow = t * teacherVocab;
            int row = t * modelVocab;
            double teacherLse = logSumExp(teacher, teacherRow, common);
            double modelLse = logSumExp(model, row, modelVocab);
            loss += modelLse - model[row + tokens[t + 1]];
            double divergence = 0;
            for (int v = 0; v < common; v++) {
                double logP = teacher[teacherRow + v] - teacherLse;
                divergence += Math.exp(logP) * (logP - (model[row + v] - modelLse));
            }
            kl += divergence;
            int best = argmax(model, row, modelVocab);
            correct += best == tokens[t + 1] ? 1 : 0;
            agreed += best == argmax(teacher, teacherRow, common) ? 1 : 0;
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
