// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import org.potstill.checkpoints.graph.TokenChoice;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * Sampling settings for the next token.
 *
 * @param temperature divides the logits; 0 takes the most probable token
 * @param topK        number of most probable tokens to draw from; 0 for all
 * @param topP        draws only from the most probable tokens whose probabilities together reach this (nucleus sampling:
 *                    Holtzman et al. 2019, arXiv 1904.09751); 1 for all
 * @param seed        for the draws: the same seed gives the same text
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

    /** Returns what a graph needs of them. */
    TokenChoice choice() {
        return new TokenChoice(temperature, topK, topP);
    }
}
