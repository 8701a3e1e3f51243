package org.potstill.student;

import org.potstill.checkpoints.CausalLmConfig;

/** The memory outside the heap that a student takes, reckoned before there is one. */
public final class StudentMemory {
    private StudentMemory() {
    }

    /**
     * Numbers that the student learns.
     *
     * @throws org.potstill.errors.UserException where they are more than a student can have
     */
    public static int parameters(CausalLmConfig config) {
        CausalDecoder.requirePossible(config);
        return Math.toIntExact(DecoderParameters.count(config));
    }

    /**
     * Bytes of a student that trains: its parameters, their gradient and moments, a batch's activations and room to work.
     *
     * @param rows    positions of the largest batch
     * @param longest positions of the longest sequence
     * @param kept    tokens that the teacher's targets name at a position, at most
     * @param threads that compute
     */
    public static long training(CausalLmConfig config, TrainingOptions options, long rows, long longest, long kept, int threads) {
        long ofParameter = 2 * Float.BYTES + (options.optimizer() == TrainingOptions.Optimizer.SGD ? 0 : 2 * Float.BYTES)
                + (options.precision() == MatrixPrecision.BF16 ? Short.BYTES : 0);
        long chunk = Math.min(rows, LanguageModelHead.chunk(config.vocabSize()));
        long floats = rows * Activations.floatsPerRow(config, options.gradientCheckpointing())
                + chunk * (config.vocabSize() + (long) LanguageModelHead.PARTS * config.hiddenSize())
                + 2 * threads * longest * longest
                + rows * (1 + 2 * kept);
        return ofParameter * DecoderParameters.count(config) + Float.BYTES * floats;
    }
}
