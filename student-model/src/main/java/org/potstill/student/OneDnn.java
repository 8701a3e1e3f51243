package org.potstill.student;

import com.sun.jna.Function;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import java.io.IOException;
import org.bytedeco.javacpp.Loader;
import org.potstill.nd4j.Nd4jRuntime;

/**
 * Matrix products of oneDNN, which makes its code for the processor that it finds: in single precision some tenth faster than
 * the OpenBLAS that ND4J brings, and on tall and small matrices more.
 *
 * <p>Its C functions are called as they are; all matrices are row-major. A caller's thread is the only one that computes.
 */
final class OneDnn {
    private static final String NATIVES = "linux-x86_64/";
    private static final boolean AVAILABLE = load();
    private static final ThreadLocal<Boolean> SINGLE = ThreadLocal.withInitial(OneDnn::useOneThread);
    private static Function setThreads;

    private OneDnn() {
    }

    /** False where there is no build of it for this platform; OpenBLAS then does the same, slower. */
    static boolean isAvailable() {
        return AVAILABLE;
    }

    /** {@code c = op(a)·op(b) + beta·c}, where op(a) is {@code [m, k]}; pointers are addresses, ld the rows' distances. */
    static void sgemm(boolean transposeA, boolean transposeB, long m, long n, long k, long a, long lda, long b, long ldb,
            float beta, long c, long ldc) {
        SINGLE.get();
        int status = dnnl_sgemm(letter(transposeA), letter(transposeB), m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
        if (status != 0) {
            throw new IllegalStateException("dnnl_sgemm returned " + status);
        }
    }

    /** The same of bfloat16 numbers, summed in single precision. */
    static void bgemm(boolean transposeA, boolean transposeB, long m, long n, long k, long a, long lda, long b, long ldb,
            float beta, long c, long ldc) {
        SINGLE.get();
        int status = dnnl_gemm_bf16bf16f32(letter(transposeA), letter(transposeB), m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
        if (status != 0) {
            throw new IllegalStateException("dnnl_gemm_bf16bf16f32 returned " + status);
        }
    }

    /** Whether this processor multiplies bfloat16 numbers by itself. */
    static boolean hasBf16() {
        return AVAILABLE && Nd4jRuntime.processorHas("avx512_bf16");
    }

    private static byte letter(boolean transpose) {
        return (byte) (transpose ? 'T' : 'N');
    }

    private static native int dnnl_sgemm(byte transposeA, byte transposeB, long m, long n, long k, float alpha, long a,
            long lda, long b, long ldb, float beta, long c, long ldc);

    private static native int dnnl_gemm_bf16bf16f32(byte transposeA, byte transposeB, long m, long n, long k, float alpha, long a,
            long lda, long b, long ldb, float beta, long c, long ldc);

    private static boolean load() {
        try {
            // By their paths and in this order: the build also links OpenCL, which few machines have, and makes no use of it here.
            NativeLibrary.getInstance(extract("/org/bytedeco/opencl/" + NATIVES + "libOpenCL.so.1"));
            extract("/org/bytedeco/dnnl/" + NATIVES + "libgomp.so.1");
            NativeLibrary library = NativeLibrary.getInstance(extract("/org/bytedeco/dnnl/" + NATIVES + "libdnnl.so.3"));
            Native.register(OneDnn.class, library);
            // Of the OpenMP that it is linked with, which may be ND4J's.
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

    /** OpenMP keeps this for each thread that calls it. */
    private static boolean useOneThread() {
        setThreads.invokeVoid(new Object[] {1});
        return true;
    }
}
