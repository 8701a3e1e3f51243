package org.potstill.teacher;

import java.nio.file.Path;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Precision;

/** Opens models and the teachers that they make. */
public final class Teachers {
    private Teachers() {
    }

    /**
     * Opens a model, see {@link CausalLm#open}; also a SameDiff ({@code .fb}) or Deeplearning4j ({@code .zip}) file, for the
     * ND4J engine.
     */
    public static CausalLm model(Path path) {
        return Nd4jFile.find(path).orElseGet(() -> CausalLm.open(path));
    }

    /** Opens a teacher from a model's file or folder, see {@link #model}. */
    public static Teacher open(Path path, TeacherOptions options) {
        requireDevice(options);
        try (CausalLm model = model(path)) {
            return open(model, options);
        }
    }

    /** Opens a teacher; the model is not needed any more when this returns, and stays open. */
    public static Teacher open(CausalLm model, TeacherOptions options) {
        require(model, options);
        if (options.engine() == TeacherOptions.Engine.ONNX) {
            return OnnxTeacher.open(model, options);
        }
        return model instanceof Nd4jFile file ? Nd4jTeacher.open(file, options) : Nd4jTeacher.open((Checkpoint) model, options);
    }

    /** The text that a model is calibrated on before it is quantised, whatever it is used for afterwards. */
    public static CausalLm.Calibration calibration(CausalLm model, TeacherOptions options) {
        return graph -> new CalibrationText(model, options).channelMaxima(graph);
    }

    /** The text behind {@link #calibration}. */
    public static String calibrationText() {
        return CalibrationText.text();
    }

    /** Fails at once where the engine cannot run the model as wanted, before its weights are touched. */
    public static void require(CausalLm model, TeacherOptions options) {
        requireDevice(options);
        model.requirePrecision(options.precision());
        if (options.engine() == TeacherOptions.Engine.ONNX && model instanceof Nd4jFile file) {
            throw TeacherErrors.needsNd4j(file.file());
        }
        if (options.engine() == TeacherOptions.Engine.ND4J && model instanceof Checkpoint checkpoint) {
            Nd4jWeights.requirePlainLlama(checkpoint.config());
        } else if (options.engine() == TeacherOptions.Engine.ND4J && !(model instanceof Nd4jFile)) {
            throw TeacherErrors.needsOnnx();
        }
    }

    /** Fails at once where the engine cannot run on the device, before a file is opened. */
    public static void requireDevice(TeacherOptions options) {
        if (options.precision() == Precision.FP16 && !OnnxEngine.hasCuda()) {
            throw TeacherErrors.noGpuForHalfPrecision();
        }
        switch (options.engine()) {
            case ONNX -> OnnxEngine.requireDevice(options.device());
            case ND4J -> Nd4jDevice.require(options.device());
        }
    }

    /** Whether a teacher may come out on a GPU: this build has code for one, and the options do not forbid it. */
    public static boolean mayUseGpu(TeacherOptions options) {
        return options.device() != TeacherOptions.Device.CPU
                && (options.engine() == TeacherOptions.Engine.ONNX ? OnnxEngine.hasCuda() : Nd4jDevice.hasCuda());
    }
}
