package org.potstill.teacher;

/**
 * How the next token is chosen.
 *
 * @param temperature divides the logits; 0 takes the most probable token
 * @param topK        only so many of the most probable tokens are drawn from; 0 for all
 * @param topP        only the most probable tokens whose probabilities together reach this are drawn from (nucleus sampling:
 *                    Holtzman et al. 2019, arXiv 1904.09751); 1 for all
 * @param seed        of the draws: the same seed gives the same text
 */
public record SamplingOptions(double temperature, int topK, double topP, long seed) {
    public static final SamplingOptions GREEDY = new SamplingOptions(0, 0, 1, 0);

    public SamplingOptions {
        if (!(temperature >= 0 && temperature <= 100)) {
            throw TeacherErrors.badSampling("temperature", temperature, "between 0 and 100");
        }
        if (topK < 0) {
            throw TeacherErrors.badSampling("top-k", topK, "0 or more");
        }
        if (!(topP > 0 && topP <= 1)) {
            throw TeacherErrors.badSampling("top-p", topP, "above 0 and at most 1");
        }
    }
}
