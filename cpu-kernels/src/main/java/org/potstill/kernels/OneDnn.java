// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import com.sun.jna.Function;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import java.io.IOException;
import org.bytedeco.javacpp.Loader;
import org.potstill.nd4j.Nd4jRuntime;

/**
 * Matrix products by oneDNN, which generates code for the processor at hand: in single precision about 10 % faster than ND4J's
 * OpenBLAS, and more on tall and small matrices.
 *
 * <p>Calls oneDNN's C functions directly; all matrices are row-major. Only the calling thread computes.
 */
public final class OneDnn {
    private static final String NATIVES = "linux-x86_64/";
    private static final ThreadLocal<Boolean> SINGLE = ThreadLocal.withInitial(OneDnn::useOneThread);
    private static Function setThreads;
    private static NativeLibrary library;
    private static final boolean AVAILABLE = load();

    private OneDnn() {
    }

    /** Whether oneDNN is available on this platform; if not, OpenBLAS takes its place. */
    static boolean isAvailable() {
        return AVAILABLE;
    }

    /** Computes {@code c = op(a)·op(b) + beta·c}, where op(a) is {@code [m, k]}; a, b and c are addresses, ld* row strides. */
    static void sgemm(boolean transposeA, boolean transposeB, long m, long n, long k, long a, long lda, long b, long ldb,
            float beta, long c, long ldc) {
        SINGLE.get();
        int status = dnnl_sgemm(letter(transposeA), letter(transposeB), m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
        if (status != 0) {
            throw new IllegalStateException("dnnl_sgemm returned " + status);
        }
    }

    /** Computes {@link #sgemm} with bfloat16 operands a and b, accumulated in single precision. */
    static void bgemm(boolean transposeA, boolean transposeB, long m, long n, long k, long a, long lda, long b, long ldb,
            float beta, long c, long ldc) {
        SINGLE.get();
        int status = dnnl_gemm_bf16bf16f32(letter(transposeA), letter(transposeB), m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
        if (status != 0) {
            throw new IllegalStateException("dnnl_gemm_bf16bf16f32 returned " + status);
        }
    }

    /** Computes {@code c = a·b}, row by row, of unsigned and signed 8-bit operands in 32-bit integers. */
    static void igemm(long m, long n, long k, long a, long b, long c) {
        SINGLE.get();
        int status = dnnl_gemm_u8s8s32(letter(false), letter(false), (byte) 'F', m, n, k, 1, a, k, (byte) 0, b, n, (byte) 0, 0, c, n, new int[1]);
        if (status != 0) {
            throw new IllegalStateException("dnnl_gemm_u8s8s32 returned " + status);
        }
    }

    /** Whether matrices can be multiplied in bfloat16 here: the processor has instructions for it, and oneDNN is available. */
    public static boolean canUseBf16() {
        return !Nd4jRuntime.isCuda() && AVAILABLE && Nd4jRuntime.processorHas("avx512_bf16");
    }

    /** Returns the library, or null where it is not available. */
    static NativeLibrary library() {
        return library;
    }

    /** Has the calling thread compute alone. */
    static void computeAlone() {
        SINGLE.get();
    }

    private static byte letter(boolean transpose) {
        return (byte) (transpose ? 'T' : 'N');
    }

    private static native int dnnl_sgemm(byte transposeA, byte transposeB, long m, long n, long k, float alpha, long a,
            long lda, long b, long ldb, float beta, long c, long ldc);

    private static native int dnnl_gemm_bf16bf16f32(byte transposeA, byte transposeB, long m, long n, long k, float alpha, long a,
            long lda, long b, long ldb, float beta, long c, long ldc);

    private static native int dnnl_gemm_u8s8s32(byte transposeA, byte transposeB, byte offset, long m, long n, long k, float alpha, long a,
            long lda, byte offsetA, long b, long ldb, byte offsetB, float beta, long c, long ldc, int[] offsetC);

    private static boolean load() {
        try {
            // Loaded by path and in this order: the build also links OpenCL, which few machines have and which is unused here.
            NativeLibrary.getInstance(extract("/org/bytedeco/opencl/" + NATIVES + "libOpenCL.so.1"));
            extract("/org/bytedeco/dnnl/" + NATIVES + "libgomp.so.1");
            library = NativeLibrary.getInstance(extract("/org/bytedeco/dnnl/" + NATIVES + "libdnnl.so.3"));
            Native.register(OneDnn.class, library);
            // From the OpenMP library that oneDNN is linked with, possibly ND4J's.
            setThreads = library.getFunction("omp_set_num_threads");
            return true;
        } catch (IOException | LinkageError e) {
            return false;
        }
    }

    private static String extract(String resource) throws IOException {
        java.io.File file = Loader.cacheResource(OneDnn.class, resource);
        if (file == null) {
            throw new IOException("no " + resource);
        }
        return file.getPath();
    }

    /** Limits OpenMP to one thread; the setting applies to the calling thread only. */
    private static boolean useOneThread() {
        setThreads.invokeVoid(new Object[] {1});
        return true;
    }
}
