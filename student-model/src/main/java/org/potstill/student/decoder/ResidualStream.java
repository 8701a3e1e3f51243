// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.Kernels;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Row;

/**
 * The way from the residual stream into a sublayer and back, {@code stream + scale·norm(sublayer(norm(stream)))}, where a model has
 * one of the two norms or both (see {@link org.potstill.checkpoints.model.Traits.NormPlacement}). Gains that it lacks are null.
 */
final class ResidualStream {
    private final double epsilon;
    private final double scale;

    ResidualStream(CausalLmConfig config) {
        this.epsilon = config.rmsNormEps();
        this.scale = config.traits().scales().residual();
    }

    /** Computes a sublayer's input; without a norm, {@code normed} is {@code stream} itself. */
    void norm(Matrix stream, Matrix gain, Matrix normed) {
        if (gain != null) {
            Kernels.rmsNorm(stream, gain, epsilon, normed);
        }
    }

    /** Adds a sublayer's output. */
    void add(Matrix output, Matrix gain, Matrix stream) {
        if (gain == null) {
            Kernels.add(output, scale, stream);
        } else {
            Kernels.addRmsNorm(output, gain, epsilon, scale, stream);
        }
    }

    /** Computes the gradient of a sublayer's output from that of the stream; does nothing where the two are the same. */
    void outputBackward(Matrix dStream, Matrix output, Matrix gain, Matrix dOutput, Row dGain) {
        if (output == null) {
            return;
        }
        Kernels.zero(dOutput);
        Kernels.add(dStream, scale, dOutput);
        if (gain != null) {
            Kernels.rmsNormBackward(dOutput, output, gain, epsilon, dGain);
        }
    }

    /** Adds the gradient of a sublayer's input to that of the stream. */
    void inputBackward(Matrix dNormed, Matrix stream, Matrix gain, Matrix dStream, Row dGain) {
        if (gain == null) {
            Kernels.add(dNormed, dStream);
        } else {
            Kernels.rmsNormBackward(dNormed, stream, gain, epsilon, dStream, dGain);
        }
    }
}
