// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.student.Student;
import org.potstill.student.batch.LabelledBatch;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.decoder.LanguageModelHead;
import org.potstill.student.errors.StudentErrors;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/**
 * Training steps of {@link Student}s by ONNX Runtime: on a GPU where this is its CUDA build, otherwise on the CPU. Computes what
 * {@link Student#step} computes, many steps at a time (see {@link TrainingGraph}). Not thread-safe; holds off-heap memory: close it.
 */
public final class OnnxTrainer implements AutoCloseable {
    /** Steps in one run, whose batches are in memory at once. */
    static final int MAX_STEPS = 64;

    private final CausalLmConfig config;
    private final TrainingOptions options;
    private final int chunk;
    private final OrtSession session;
    private final StateBuffers before;
    private final StateBuffers after;
    private final List<String> stateInputs;
    private final List<String> outputs;

    /**
     * Result of a step.
     *
     * @param loss         before the step
     * @param gradientNorm before clipping; 0 if all positions were masked
     */
    public record Step(StepLoss loss, double gradientNorm) {
    }

    private OnnxTrainer(CausalLmConfig config, TrainingOptions options, int chunk, OrtSession session) {
        this.config = config;
        this.options = options;
        this.chunk = chunk;
        this.session = session;
        List<StateTensor> tensors = StateTensor.of(config);
        this.before = new StateBuffers(tensors);
        this.after = new StateBuffers(tensors);
        this.stateInputs = tensors.stream().flatMap(tensor -> TrainingGraph.KINDS.stream().map(kind -> kind + tensor.name())).toList();
        this.outputs = List.copyOf(session.getOutputNames());
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
        byte[] model = TrainingGraph.build(config, options, precision, chunk);
        try (OrtSession.SessionOptions settings = OnnxRuntime.settings(threads)) {
            // Without this, some kernels of the CUDA provider add in any order.
            settings.setDeterministicCompute(true);
            OrtSession session = gpu < 0 ? OnnxRuntime.session(model, settings) : OnnxRuntime.cudaSession(model, settings, gpu);
            return new OnnxTrainer(config, options, chunk, session);
        } catch (OrtException e) {
            throw StudentErrors.engineFailed("load its graph", e);
        }
    }

    /**
     * Checks that the graph computes what these options ask for.
     *
     * @throws org.potstill.errors.UserException if it does not
     */
    public static void requireSupport(TrainingOptions options) {
        if (options.optimizer() != TrainingOptions.Optimizer.ADAMW) {
            throw StudentErrors.engineLacks("the optimizer " + options.optimizer(), "ADAMW");
        }
        if (options.gradientCheckpointing()) {
            throw StudentErrors.engineLacks("gradient checkpointing", "no gradient checkpointing");
        }
    }

    /**
     * Takes one step per batch, or none on a batch whose positions are all masked, and updates the student's parameters and moments.
     *
     * @param firstStep zero-based number of the first step
     * @return the steps, in order; if one's loss or gradient norm is not finite it is the last, and the student is as before
     */
    public List<Step> train(Student student, List<List<TrainingSequence>> batches, int firstStep) {
        before.read(student);
        List<Step> all = new ArrayList<>();
        for (int from = 0; from < batches.size(); from += MAX_STEPS) {
            for (Step step : run(batches.subList(from, Math.min(batches.size(), from + MAX_STEPS)), firstStep + from)) {
                all.add(step);
                if (!Double.isFinite(step.loss.total()) || !Double.isFinite(step.gradientNorm)) {
                    return all;
                }
            }
        }
        before.write(student);
        return all;
    }

    private List<Step> run(List<List<TrainingSequence>> batches, int firstStep) {
        List<StepInputs.Step> steps = new ArrayList<>();
        Step[] results = new Step[batches.size()];
        for (int i = 0; i < batches.size(); i++) {
            PackedBatch batch = packed(batches.get(i));
            if (batch.targets().count() == 0) {
                results[i] = new Step(new StepLoss(0, 0, 0, 0), 0);
            } else {
                steps.add(new StepInputs.Step(batch, firstStep + i));
            }
        }
        if (!steps.isEmpty()) {
            double[][] losses = run(steps);
            for (int i = 0; i < steps.size(); i++) {
                int number = steps.get(i).number();
                double alpha = options.objective().alphaAt(number, options.totalSteps());
                StepLoss loss = new StepLoss(alpha * losses[0][i] + (1 - alpha) * losses[1][i], losses[0][i], losses[1][i],
                        steps.get(i).batch().targets().count());
                results[number - firstStep] = new Step(loss, losses[2][i]);
            }
        }
        return List.of(results);
    }

    private PackedBatch packed(List<TrainingSequence> batch) {
        try (LabelledBatch arrays = LabelledBatch.of(batch, config, DataType.FLOAT)) {
            return PackedBatch.of(arrays.features(), arrays.featuresMask(), arrays.labels(), arrays.labelsMask());
        }
    }

    /** Runs steps on the state in {@link #before}, which receives the result; returns divergence, cross-entropy and norm of each. */
    private double[][] run(List<StepInputs.Step> steps) {
        Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
        Map<String, OnnxTensor> state = new LinkedHashMap<>();
        int states = stateInputs.size();
        try {
            inputs.putAll(new StepInputs(config, options, steps, chunk).tensors());
            before.addTo(inputs, stateInputs);
            after.addTo(state, outputs.subList(0, states));
            double[][] losses = new double[outputs.size() - states][steps.size()];
            try (OrtSession.Result result = NativeWork.call(() -> session.run(inputs, Set.copyOf(outputs.subList(states, outputs.size())), state))) {
                for (int i = 0; i < losses.length; i++) {
                    ((OnnxTensor) result.get(outputs.get(states + i)).orElseThrow()).getDoubleBuffer().get(losses[i]);
                }
            }
            before.copy(after);
            return losses;
        } catch (OrtException e) {
            throw StudentErrors.engineFailed("take " + steps.size() + " steps", e);
        } finally {
            inputs.values().forEach(OnnxTensor::close);
            state.values().forEach(OnnxTensor::close);
        }
    }

    @Override
    public void close() {
        before.close();
        after.close();
        try {
            session.close();
        } catch (OrtException e) {
            throw StudentErrors.engineFailed("close its session", e);
        }
    }
}
