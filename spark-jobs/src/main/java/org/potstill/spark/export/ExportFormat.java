// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.export;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.potstill.spark.errors.JobErrors;

/** Export formats of a student with their precisions, the default first. */
public enum ExportFormat {
    /** A folder for transformers. */
    HF(Precision.FP32),
    /** A folder with an ONNX graph, as Hugging Face Optimum lays it out. */
    ONNX(Precision.FP32, Precision.INT8),
    /** One file for llama.cpp. */
    GGUF(Precision.F16, Precision.Q8_0, Precision.FP32);

    /**
     * Precision in which matrices are stored. INT8: 8-bit weights and activations, see
     * {@link org.potstill.checkpoints.graph.Int8Weights}; Q8_0: blocks of 32 8-bit weights with a scale.
     */
    public enum Precision {
        FP32, F16, INT8, Q8_0;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final List<Precision> precisions;

    ExportFormat(Precision... precisions) {
        this.precisions = Arrays.asList(precisions);
    }

    /**
     * Returns the precision to use.
     *
     * @param asked null for the default
     */
    Precision precision(Precision asked) {
        if (asked != null && !precisions.contains(asked)) {
            throw JobErrors.badOption("--precision", "--to " + this + " knows " + precisions + ", not " + asked);
        }
        return asked == null ? precisions.get(0) : asked;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
