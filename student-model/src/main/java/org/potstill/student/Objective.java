package org.potstill.student;

/**
 * What the student minimises: {@code α·divergence + (1 − α)·cross-entropy of the next token} per position, at
 * temperature 1.
 *
 * @param alpha      weight of the divergence in the first step
 * @param finalAlpha in the last step; in between it goes in a line
 * @param divergence from the teacher
 * @param tail       what stands for tokens that the teacher's targets do not name
 */
public record Objective(double alpha, double finalAlpha, Divergence divergence, Tail tail) implements java.io.Serializable {
    public Objective {
        requireShare("alpha", alpha);
        requireShare("the final alpha", finalAlpha);
    }

    /** Forward KL with a ghost bucket, α constant. */
    public static Objective of(double alpha) {
        return new Objective(alpha, alpha, Divergence.FORWARD_KL, Tail.GHOST);
    }

    double alphaAt(int step, int totalSteps) {
        return totalSteps < 2 ? alpha : alpha + (finalAlpha - alpha) * Math.min(1, (double) step / (totalSteps - 1));
    }

    private static void requireShare(String name, double value) {
        if (!(value >= 0 && value <= 1)) {
            throw StudentErrors.badOptions(name + " is " + value + ", not between 0 and 1");
        }
    }
}
