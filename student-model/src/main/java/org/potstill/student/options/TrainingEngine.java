// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.options;

/** What computes a student's training steps. */
public enum TrainingEngine {
    /** Deeplearning4j's layer: {@link org.potstill.student.Student#step}. */
    DL4J,
    /** ONNX Runtime: {@link org.potstill.student.onnx.OnnxTrainer}. */
    ONNX;

    /** Returns the options of the student itself, which multiplies no matrices where ONNX Runtime does. */
    public TrainingOptions ofStudent(TrainingOptions options) {
        return this == DL4J ? options : options.with(MatrixPrecision.FP32);
    }
}
