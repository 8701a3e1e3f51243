package org.potstill.teacher;

import org.potstill.checkpoints.Checkpoint;

/** Opens teachers. */
public final class Teachers {
    private Teachers() {
    }

    /** Opens a teacher; the checkpoint is not needed any more when this returns, and stays open. */
    public static Teacher open(Checkpoint checkpoint, TeacherOptions options) {
        return switch (options.engine()) {
            case ONNX -> OnnxTeacher.open(checkpoint, options);
            case ND4J -> Nd4jTeacher.open(checkpoint, options);
        };
    }
}
