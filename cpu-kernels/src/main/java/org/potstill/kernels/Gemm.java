// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.bytedeco.openblas.global.openblas_nolapack.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_dgemm;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemm;

import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Matrix products in the precision of their operands: by {@link OneDnn} in single precision where available, otherwise by the BLAS
 * of ND4J's CPU backend. Bypasses {@code Nd4j.gemm}, which copies operands that are views with a row stride, such as one
 * attention head.
 */
final class Gemm implements Products {
    static final Products EXACT = new Gemm();

    @Override
    public void timesTransposed(Matrix x, Matrix w, Matrix y, double beta) {
        multiply(x, false, w, true, y, beta);
    }

    @Override
    public void times(Matrix dy, Matrix w, Matrix dx, double beta) {
        multiply(dy, false, w, false, dx, beta);
    }

    @Override
    public void transposedTimes(Matrix dy, Matrix x, Matrix dw, double beta) {
        multiply(dy, true, x, false, dw, beta);
    }

    private static void multiply(Matrix a, boolean transposeA, Matrix b, boolean transposeB, Matrix c, double beta) {
        int m = transposeA ? a.columns() : a.rows();
        int k = transposeA ? a.rows() : a.columns();
        int n = transposeB ? b.rows() : b.columns();
        if (m != c.rows() || n != c.columns() || k != (transposeB ? b.columns() : b.rows())) {
            throw new IllegalArgumentException("shapes do not fit");
        }
        if (!c.isDouble() && OneDnn.isAvailable()) {
            OneDnn.sgemm(transposeA, transposeB, m, n, k, a.address(), a.stride(), b.address(), b.stride(), (float) beta,
                    c.address(), c.stride());
            return;
        }
        blas(m, n, k, a, transposeA, b, transposeB, c, beta);
    }

    static void blas(int m, int n, int k, Matrix a, boolean transposeA, Matrix b, boolean transposeB, Matrix c, double beta) {
        int flagA = transposeA ? CblasTrans : CblasNoTrans;
        int flagB = transposeB ? CblasTrans : CblasNoTrans;
        if (c.isDouble()) {
            cblas_dgemm(CblasRowMajor, flagA, flagB, m, n, k, 1, (DoublePointer) a.pointer(), a.stride(),
                    (DoublePointer) b.pointer(), b.stride(), beta, (DoublePointer) c.pointer(), c.stride());
        } else {
            cblas_sgemm(CblasRowMajor, flagA, flagB, m, n, k, 1, (FloatPointer) a.pointer(), a.stride(),
                    (FloatPointer) b.pointer(), b.stride(), (float) beta, (FloatPointer) c.pointer(), c.stride());
        }
    }
}
