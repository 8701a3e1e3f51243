package org.potstill.teacher;

import java.nio.file.Path;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;

/** Opens teachers. */
public final class Teachers {
    private Teachers() {
    }

    /**
     * Opens a teacher from a checkpoint, see {@link Checkpoints#open}, or, with the ND4J engine, from a SameDiff
     * ({@code .fb}) or Deeplearning4j ({@code .zip}) file, see {@link Nd4jTeacher#open(Path, TeacherOptions)}.
     */
    public static Teacher open(Path file, TeacherOptions options) {
        requireDevice(options);
        if (Dl4jArchive.isOne(file) || SameDiffFile.isOne(file)) {
            if (options.engine() != TeacherOptions.Engine.ND4J) {
                throw TeacherErrors.needsNd4j(file);
            }
            return Nd4jTeacher.open(file, options);
        }
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            return open(checkpoint, options);
        }
    }

    /** Opens a teacher; the checkpoint is not needed any more when this returns, and stays open. */
    public static Teacher open(Checkpoint checkpoint, TeacherOptions options) {
        return switch (options.engine()) {
            case ONNX -> OnnxTeacher.open(checkpoint, options);
            case ND4J -> Nd4jTeacher.open(checkpoint, options);
        };
    }

    /** Fails at once where the engine cannot run on the device, before a file is opened. */
    private static void requireDevice(TeacherOptions options) {
        switch (options.engine()) {
            case ONNX -> OnnxEngine.requireDevice(options.device());
            case ND4J -> Nd4jDevice.require(options.device());
        }
    }
}
