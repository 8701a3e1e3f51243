// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.decoder.Activations;
import org.potstill.student.decoder.LanguageModelHead;
import org.potstill.student.dl4j.DecoderLayerConf;
import org.potstill.student.dl4j.DecoderParameters;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/** Estimates of the off-heap memory of a student before it is created. */
public final class StudentMemory {
    private StudentMemory() {
    }

    /**
     * Returns the number of parameters.
     *
     * @throws org.potstill.errors.UserException if a student cannot have this many
     */
    public static int parameters(CausalLmConfig config) {
        DecoderLayerConf.requirePossible(config);
        return Math.toIntExact(DecoderParameters.count(config));
    }

    /**
     * Estimates the bytes that training takes: parameters, gradient and moments, the activations of a batch, and scratch memory.
     *
     * @param rows    positions in the largest batch
     * @param longest positions in the longest sequence
     * @param kept    maximum number of tokens per position in the teacher's targets
     * @param threads number of computing threads
     */
    public static long training(CausalLmConfig config, TrainingOptions options, long rows, long longest, long kept, int threads) {
        long ofParameter = 2L * Float.BYTES + (options.optimizer() == TrainingOptions.Optimizer.SGD ? 0 : 2 * Float.BYTES)
                + (options.precision() == MatrixPrecision.BF16 ? Short.BYTES : 0);
        long chunk = Math.min(rows, LanguageModelHead.chunk(config.vocabSize()));
        long floats = rows * Activations.floatsPerRow(config, options.gradientCheckpointing())
                + chunk * ((config.traits().softcaps().logits() > 0 ? 2L : 1L) * config.vocabSize() + (long) LanguageModelHead.PARTS * config.hiddenSize())
                + (config.traits().softcaps().attention() > 0 ? 3L : 2L) * threads * longest * longest
                + rows * (1 + 2 * kept);
        return ofParameter * DecoderParameters.count(config) + Float.BYTES * floats;
    }
}
