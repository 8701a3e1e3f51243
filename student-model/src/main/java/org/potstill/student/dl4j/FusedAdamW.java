// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.dl4j;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Row;
import org.potstill.kernels.Slices;
import org.potstill.student.decoder.Weights;
import org.potstill.student.options.TrainingOptions;

/**
 * Gradient clipping, AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) and the update of the parameters in one multithreaded
 * pass over memory. Computes the same as Deeplearning4j's {@code ClipL2PerLayer}, {@code Adam} and {@code WeightDecay} in
 * sequence. As there, epsilon is added to the root of the uncorrected second moment.
 */
public final class FusedAdamW {
    private static final int PIECE = 1 << 12;

    /** A contiguous range of the flat vector. */
    private record Piece(int begin, int length, boolean decayed) {
    }

    /** A thread's working memory for one piece at a time. */
    private static final class Scratch {
        private final float[] parameters = new float[PIECE];
        private final float[] gradient = new float[PIECE];
        private final float[] first = new float[PIECE];
        private final float[] second = new float[PIECE];
        private final Row row = Row.ofFloats(PIECE);
    }

    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    private final TrainingOptions options;
    private final List<Piece> pieces = new ArrayList<>();

    public FusedAdamW(CausalLmConfig config, TrainingOptions options) {
        this.options = options;
        int begin = 0;
        for (Map.Entry<String, long[]> tensor : Weights.shapes(config).entrySet()) {
            int end = Math.toIntExact(begin + Weights.count(tensor.getValue()));
            for (; begin < end; begin += Math.min(PIECE, end - begin)) {
                pieces.add(new Piece(begin, Math.min(PIECE, end - begin), !DecoderParameters.isVector(tensor.getKey())));
            }
        }
    }

    /** Computes the L2 norm of the gradient, {@code [1, n]}. */
    public double norm(Matrix gradient) {
        double[] squares = new double[pieces.size()];
        Slices.each(pieces.size(), i -> {
            Piece piece = pieces.get(i);
            Row row = SCRATCH.get().row.load(gradient, 0, piece.begin(), piece.length());
            squares[i] = row.dot(piece.length(), row);
        });
        double sum = 0;
        for (double each : squares) {
            sum += each;
        }
        return Math.sqrt(sum);
    }

    /**
     * Updates the parameters and both moments in place.
     *
     * @param parameters {@code [1, n]}
     * @param gradient   {@code [1, n]}, before clipping
     * @param norm       L2 norm of the gradient
     * @param first      first moments, {@code [1, n]}
     * @param second     second moments, {@code [1, n]}
     * @param step       zero-based number of the step
     */
    public void step(Matrix parameters, Matrix gradient, double norm, Matrix first, Matrix second, int step) {
        boolean clipped = options.maxGradientNorm() > 0 && norm > options.maxGradientNorm();
        float clip = clipped ? (float) (options.maxGradientNorm() / norm) : 1;
        double rate = options.rateAt(step);
        float scale = (float) (rate * Math.sqrt(1 - Math.pow(options.beta2(), step + 1)) / (1 - Math.pow(options.beta1(), step + 1)));
        Slices.each(pieces.size(), i -> {
            Piece piece = pieces.get(i);
            float decay = piece.decayed() ? (float) (rate * options.weightDecay()) : 0;
            step(piece, parameters, gradient, clip, first, second, scale, decay);
        });
    }

    private void step(Piece piece, Matrix parameters, Matrix gradient, float clip, Matrix first, Matrix second, float scale, float decay) {
        int n = piece.length();
        Scratch own = SCRATCH.get();
        float[] p = load(parameters, piece, own.parameters);
        float[] g = load(gradient, piece, own.gradient);
        float[] m = load(first, piece, own.first);
        float[] v = load(second, piece, own.second);
        float beta1 = (float) options.beta1();
        float beta2 = (float) options.beta2();
        float rest1 = (float) (1 - options.beta1());
        float rest2 = (float) (1 - options.beta2());
        float epsilon = (float) options.epsilon();
        for (int i = 0; i < n; i++) {
            float x = clip * g[i];
            m[i] = beta1 * m[i] + rest1 * x;
            v[i] = beta2 * v[i] + rest2 * x * x;
        }
        for (int i = 0; i < n; i++) {
            p[i] = p[i] - scale * m[i] / ((float) Math.sqrt(v[i]) + epsilon) - decay * p[i];
        }
        store(p, parameters, piece);
        store(m, first, piece);
        store(v, second, piece);
    }

    private static float[] load(Matrix from, Piece piece, float[] values) {
        from.floats().get(from.index(0, piece.begin()), values, 0, piece.length());
        return values;
    }

    private static void store(float[] values, Matrix to, Piece piece) {
        to.floats().put(to.index(0, piece.begin()), values, 0, piece.length());
    }
}
