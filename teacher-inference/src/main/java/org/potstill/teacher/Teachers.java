// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher;

import java.nio.file.Path;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.io.Precision;
import org.potstill.onnx.OnnxRuntime;
import org.potstill.teacher.generation.AnswerWriter;
import org.potstill.teacher.generation.SamplingOptions;
import org.potstill.teacher.generation.WritingLimits;
import org.potstill.teacher.nd4j.Nd4jDevice;
import org.potstill.teacher.nd4j.Nd4jFile;
import org.potstill.teacher.nd4j.Nd4jTeacher;
import org.potstill.teacher.nd4j.Nd4jWeights;
import org.potstill.teacher.onnx.OnnxEngine;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.packed.PackedTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.server.ServerModel;
import org.potstill.teacher.server.ServerTeacher;
import org.potstill.teacher.server.ServerWriter;

/** Factory of models and teachers. */
public final class Teachers {
    private Teachers() {
    }

    /**
     * Opens a model, see {@link Checkpoints#model}, or, for the ND4J engine, a SameDiff ({@code .fb}) or Deeplearning4j
     * ({@code .zip}) file.
     */
    public static CausalLm model(Path path) {
        return Nd4jFile.find(path).orElseGet(() -> Checkpoints.model(path));
    }

    /** Opens a teacher from a model file or folder, see {@link #model}. */
    public static Teacher open(Path path, TeacherOptions options) {
        requireDevice(options);
        try (CausalLm model = model(path)) {
            return open(model, options);
        }
    }

    /** Opens a teacher; the model stays open, but is not needed after this returns. */
    public static Teacher open(CausalLm model, TeacherOptions options) {
        require(model, options);
        if (model instanceof ServerModel server) {
            return ServerTeacher.open(server);
        }
        if (options.precision() == Precision.BF16) {
            return PackedTeacher.open((Checkpoint) model, options);
        }
        if (options.engine() == TeacherOptions.Engine.ONNX) {
            return OnnxTeacher.open(model, options);
        }
        return model instanceof Nd4jFile file ? Nd4jTeacher.open(file, options) : Nd4jTeacher.open((Checkpoint) model, options);
    }

    /**
     * Opens a writer, in half precision on a GPU, otherwise on the CPU, or behind a URL.
     *
     * @param model    not needed after this returns; stays open
     * @param sampling its seed is not used: each request has its own
     * @param limits   of the memory for keys and values, which a server sets itself
     */
    public static AnswerWriter writer(CausalLm model, SamplingOptions sampling, TeacherOptions options, WritingLimits limits) {
        if (model instanceof ServerModel server) {
            return ServerWriter.open(server, sampling);
        }
        if (options.precision() == Precision.BF16) {
            throw TeacherErrors.bf16OnlyScores();
        }
        if (options.precision() == Precision.FP16) {
            requireDevice(options);
        }
        return AnswerWriter.open(model, sampling, options, limits);
    }

    /**
     * Checks, before any weights are read, that the engine can run the model with these options.
     *
     * @throws org.potstill.errors.UserException if it cannot
     */
    public static void require(CausalLm model, TeacherOptions options) {
        model.requirePrecision(options.precision());
        if (model instanceof ServerModel) {
            ServerTeacher.require(options.targets());
            return;
        }
        requireDevice(options);
        if (options.engine() == TeacherOptions.Engine.ONNX && model instanceof Nd4jFile file) {
            throw TeacherErrors.needsNd4j(file.file());
        }
        if (options.engine() == TeacherOptions.Engine.ND4J && model instanceof Checkpoint checkpoint) {
            Nd4jWeights.requirePlainLlama(checkpoint.config());
        } else if (options.engine() == TeacherOptions.Engine.ND4J && !(model instanceof Nd4jFile)) {
            throw TeacherErrors.needsOnnx();
        }
    }

    /**
     * Checks, before a file is opened, that the engine can run on the device.
     *
     * @throws org.potstill.errors.UserException if it cannot
     */
    public static void requireDevice(TeacherOptions options) {
        if (options.precision() == Precision.FP16 && !OnnxRuntime.hasCuda()) {
            throw TeacherErrors.noGpuForHalfPrecision();
        }
        switch (options.engine()) {
            case ONNX -> OnnxEngine.requireDevice(options.device());
            case ND4J -> Nd4jDevice.require(options.device());
        }
    }

    /** Returns whether a teacher may run on a GPU: this build supports one and the options allow it. */
    public static boolean mayUseGpu(TeacherOptions options) {
        return options.device() != TeacherOptions.Device.CPU
                && (options.engine() == TeacherOptions.Engine.ONNX ? OnnxRuntime.hasCuda() : Nd4jDevice.hasCuda());
    }
}
