// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.student.Student;
import org.potstill.student.StudentMemory;
import org.potstill.student.batch.LabelledBatch;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.decoder.Activations;
import org.potstill.student.decoder.LanguageModelHead;
import org.potstill.student.errors.StudentErrors;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/**
 * Training steps of {@link Student}s by ONNX Runtime: on a GPU where this is its CUDA build, otherwise on the CPU. Computes what
 * {@link Student#step} computes, many steps at a time (see {@link TrainingGraph}). Thread-safe: takes one student at a time, in a thread
 * of its own, as ONNX Runtime leaks a GPU's memory if several threads use a session. Holds off-heap memory: close it.
 */
public final class OnnxTrainer implements AutoCloseable {
    /** Steps in one run, whose batches are in memory at once. */
    static final int MAX_STEPS = 64;

    private final CausalLmConfig config;
    private final TrainingOptions options;
    private final TrainingSession session;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(work -> {
        Thread own = new Thread(work, "potstill-onnx-trainer");
        own.setDaemon(true);
        return own;
    });

    /**
     * Result of a step.
     *
     * @param loss         before the step
     * @param gradientNorm before clipping; 0 if all positions were masked
     */
    public record Step(StepLoss loss, double gradientNorm) {
        boolean isFinite() {
            return Double.isFinite(loss.total()) && Double.isFinite(gradientNorm);
        }

        /**
         * Checks that training has not diverged.
         *
         * @param number of the step, for the message
         * @throws org.potstill.errors.UserException if the loss or the gradient's norm is not finite
         */
        public void requireFinite(int number) {
            if (!isFinite()) {
                throw StudentErrors.nonFiniteLoss(number, loss.total(), gradientNorm);
            }
        }
    }

    private OnnxTrainer(CausalLmConfig config, TrainingOptions options, TrainingSession session) {
        this.config = config;
        this.options = options;
        this.session = session;
    }

    /**
     * Opens a session.
     *
     * @param threads for a session on the CPU
     * @param gpu     number of the GPU
     * @throws org.potstill.errors.UserException if the graph does not support the options or the device cannot be used
     */
    public static OnnxTrainer open(CausalLmConfig config, TrainingOptions options, int threads, int gpu) {
        boolean cuda = OnnxRuntime.hasCuda();
        LinearProducts.Precision precision = options.precision() == MatrixPrecision.FP32 ? LinearProducts.Precision.FP32
                : cuda ? LinearProducts.Precision.BF16 : LinearProducts.Precision.BF16_EMULATED;
        return open(config, options, precision, LanguageModelHead.chunk(config.vocabSize()), threads, cuda ? gpu : -1);
    }

    /** @param gpu number of the GPU; −1 for the CPU */
    static OnnxTrainer open(CausalLmConfig config, TrainingOptions options, LinearProducts.Precision precision, int chunk, int threads, int gpu) {
        requireSupport(options);
        return new OnnxTrainer(config, options, TrainingSession.open(config, options, precision, chunk, threads, gpu));
    }

    /**
     * Estimates the bytes that a trainer takes in the host's memory: copies of the state and, on a CPU, the state of the loop before and
     * after a step, its gradient, and the activations of a batch with the attention's scores and probabilities.
     *
     * @param rows    positions in the largest batch, with padding
     * @param longest positions in the longest sequence
     */
    public static long bytes(CausalLmConfig config, long rows, long longest) {
        long copies = 2L * TrainingGraph.KINDS.size();
        long parameters = StudentMemory.parameters(config);
        if (OnnxRuntime.hasCuda()) {
            return Float.BYTES * copies * parameters;
        }
        long ofRow = 2 * Activations.floatsPerRow(config, false)
                + 2L * config.numHiddenLayers() * config.numAttentionHeads() * longest + rows;
        return Float.BYTES * ((2 * copies + 2) * parameters + rows * ofRow + 3L * LanguageModelHead.chunk(config.vocabSize()) * config.vocabSize());
    }

    /** Returns whether the graph computes what these options ask for. */
    public static boolean supports(TrainingOptions options) {
        return options.optimizer() == TrainingOptions.Optimizer.ADAMW && !options.gradientCheckpointing();
    }

    /**
     * Checks that the graph {@link #supports} these options.
     *
     * @throws org.potstill.errors.UserException if it does not
     */
    public static void requireSupport(TrainingOptions options) {
        if (options.optimizer() != TrainingOptions.Optimizer.ADAMW) {
            throw StudentErrors.engineLacks("the optimizer " + options.optimizer(), "set train.optimizer = adamw");
        }
        if (!supports(options)) {
            throw StudentErrors.engineLacks("gradient checkpointing", "set train.gradient-checkpointing = false");
        }
    }

    /** Packs a batch for {@link #train}. */
    public PackedBatch pack(List<TrainingSequence> batch) {
        try (LabelledBatch arrays = LabelledBatch.of(batch, config, DataType.FLOAT)) {
            return PackedBatch.of(arrays.features(), arrays.featuresMask(), arrays.labels(), arrays.labelsMask());
        }
    }

    /**
     * Takes one step per batch, or none on a batch whose positions are all masked, and updates the student's parameters and moments.
     *
     * @param count     number of batches
     * @param batches   returns a batch by its index; called in order, for some batches at a time
     * @param firstStep zero-based number of the first step
     * @return the steps, in order; if one is not finite it is the last, and the student is as before
     */
    public List<Step> train(Student student, int count, IntFunction<PackedBatch> batches, int firstStep) {
        return inThread(() -> {
            session.state().read(student);
            List<Step> all = new ArrayList<>();
            while (all.size() < count) {
                List<PackedBatch> some = IntStream.range(all.size(), Math.min(count, all.size() + MAX_STEPS)).mapToObj(batches).toList();
                for (Step step : run(some, firstStep + all.size())) {
                    all.add(step);
                    if (!step.isFinite()) {
                        return all;
                    }
                }
            }
            session.state().write(student);
            return all;
        });
    }

    /** Waits even if interrupted, because the caller may use its student again after this. */
    private <T> T inThread(Callable<T> work) {
        Future<T> future = thread.submit(work);
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return future.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    throw unwrapped(e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static RuntimeException unwrapped(Throwable cause) {
        if (cause instanceof Error error) {
            throw error;
        }
        return cause instanceof RuntimeException exception ? exception : new IllegalStateException(cause);
    }

    private List<Step> run(List<PackedBatch> batches, int firstStep) {
        List<StepInputs.Step> steps = new ArrayList<>();
        Step[] results = new Step[batches.size()];
        for (int i = 0; i < batches.size(); i++) {
            PackedBatch batch = batches.get(i);
            if (batch.targets().count() == 0) {
                results[i] = new Step(new StepLoss(0, 0, 0, 0), 0);
            } else {
                steps.add(new StepInputs.Step(batch, firstStep + i));
            }
        }
        if (!steps.isEmpty()) {
            TrainingSession.Losses losses = session.run(steps);
            for (int i = 0; i < steps.size(); i++) {
                int number = steps.get(i).number();
                double alpha = options.objective().alphaAt(number, options.totalSteps());
                double divergence = losses.divergences()[i];
                double crossEntropy = losses.crossEntropies()[i];
                StepLoss loss = new StepLoss(alpha * divergence + (1 - alpha) * crossEntropy, divergence, crossEntropy,
                        steps.get(i).batch().targets().count());
                results[number - firstStep] = new Step(loss, losses.norms()[i]);
            }
        }
        return List.of(results);
    }

    @Override
    public void close() {
        inThread(() -> {
            session.close();
            return null;
        });
        thread.shutdown();
    }
}
