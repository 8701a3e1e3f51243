package org.potstill.student;

/**
 * Compares next-token distributions given by their logits with a reference distribution, one position at a time, with SIMD
 * where Java has it (see {@link Row}). Both are softmaxes over the same {@code vocabSize} ids. For one thread.
 */
public final class LogitComparison {
    private final int vocabSize;
    private final FloatValues reference;
    /** Softmax of the reference, unnormalised. */
    private final FloatValues weights;
    private final FloatValues logits;
    private final FloatValues difference;
    private double weight;
    private double referenceLogSumExp;
    private int referenceBest;

    /** Logits of a model, position by position. */
    public interface Logits {
        /** Writes the logits of a position into the first elements of {@code target}, which may be longer. */
        void read(int position, float[] target);
    }

    /**
     * How a distribution relates to the reference; any figure is NaN or infinite where logits are.
     *
     * @param logProbability  of the id asked for, in nats
     * @param best            most probable id; the lowest of several
     * @param bestProbability of that id
     * @param rank            ids that are more probable than the reference's most probable one, or as probable and lower
     * @param kl              KL(reference || this), in nats
     */
    public record Result(double logProbability, int best, double bestProbability, int rank, double kl) {
    }

    public LogitComparison(int vocabSize) {
        this.vocabSize = vocabSize;
        reference = (FloatValues) Row.ofFloats(vocabSize);
        weights = (FloatValues) Row.ofFloats(vocabSize);
        logits = (FloatValues) Row.ofFloats(vocabSize);
        difference = (FloatValues) Row.ofFloats(vocabSize);
    }

    /** Sets the reference distribution. */
    public void refer(Logits model, int position) {
        model.read(position, reference.values);
        System.arraycopy(reference.values, 0, weights.values, 0, vocabSize);
        double max = weights.max(vocabSize);
        referenceBest = firstOf(weights.values, max);
        weights.exp(vocabSize, max);
        weight = weights.sum(vocabSize);
        referenceLogSumExp = max + Math.log(weight);
    }

    /**
     * Compares a distribution with the reference.
     *
     * @param id whose log-probability is wanted
     */
    public Result compare(Logits model, int position, int id) {
        model.read(position, logits.values);
        double logit = logits.values[id];
        double max = logits.max(vocabSize);
        int best = firstOf(logits.values, max);
        int rank = rank(logits.values, referenceBest);
        System.arraycopy(reference.values, 0, difference.values, 0, vocabSize);
        difference.add(vocabSize, -1, logits);
        double cross = weights.dot(vocabSize, difference) / weight;
        logits.exp(vocabSize, max);
        double sum = logits.sum(vocabSize);
        double logSumExp = max + Math.log(sum);
        return new Result(logit - logSumExp, best, 1 / sum, rank, cross - referenceLogSumExp + logSumExp);
    }

    /** 0 where no element is the maximum, which NaN among them makes possible. */
    private int firstOf(float[] values, double max) {
        for (int i = 0; i < vocabSize; i++) {
            if (values[i] == max) {
                return i;
            }
        }
        return 0;
    }

    private int rank(float[] values, int of) {
        float value = values[of];
        int rank = 0;
        for (int i = 0; i < vocabSize; i++) {
            rank += values[i] > value ? 1 : 0;
        }
        for (int i = 0; i < of; i++) {
            rank += values[i] == value ? 1 : 0;
        }
        return rank;
    }
}
