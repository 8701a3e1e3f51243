// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Messages that ONNX Runtime 1.28 for CUDA gave where there is no GPU, and those that its users reported, less host names. */
final class GpuDiagnosisTest {
    private static final String CUDA_CALL = "Error code - ORT_RUNTIME_EXCEPTION - message: Exception during initialization: "
            + "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:121 std::conditional_t<THRW, void, onnxruntime::common::Status> "
            + "onnxruntime::CudaCall(ERRTYPE, const char*, const char*, ERRTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; "
            + "bool THRW = true; std::conditional_t<THRW, void, onnxruntime::common::Status> = void] ";
    private static final String SET_DEVICE = " ; GPU=-1 ; hostname=node ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/"
            + "cuda_execution_provider.cc ; line=245 ; expr=cudaSetDevice(info_.device_id); ";
    private static final String NO_DRIVER_OR_OLD = CUDA_CALL + "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version" + SET_DEVICE;
    private static final String NO_DEVICE = CUDA_CALL + "CUDA failure 100: no CUDA-capable device is detected" + SET_DEVICE;

    private static String load(String library) {
        return "Error code - ORT_FAIL - message: /onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:1988 "
                + "onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library "
                + "/tmp/onnxruntime-java1/libonnxruntime_providers_cuda.so with error: " + library + ": cannot open shared object file: No such file or directory\n";
    }

    private static String cause(String message, boolean driver) {
        return GpuDiagnosis.of(message, 2, driver).cause();
    }

    @Test
    void aMachineWithoutADriverIsToldApartFromOneWithAnOldDriver() {
        assertTrue(cause(NO_DRIVER_OR_OLD, false).startsWith("this machine has no NVIDIA driver"));
        assertTrue(cause(NO_DRIVER_OR_OLD, true).startsWith("the NVIDIA driver is older than CUDA 12 needs"));
        assertTrue(cause(load("libcuda.so.1"), false).startsWith("this machine has no NVIDIA driver"));
    }

    @Test
    void hiddenGpusAreToldApartFromNone() {
        assertTrue(cause(NO_DEVICE, false).startsWith("this machine has no NVIDIA driver"));
        assertTrue(cause(NO_DEVICE, true).startsWith("the driver shows this process no GPU"));
        assertTrue(GpuDiagnosis.of(NO_DEVICE, 2, true).remedy().contains("CUDA_VISIBLE_DEVICES"));
    }

    @Test
    void aMissingLibraryIsNamed() {
        for (String library : new String[] {"libcublasLt.so.12", "libcurand.so.10"}) {
            GpuDiagnosis diagnosis = GpuDiagnosis.of(load(library), 0, true);
            assertTrue(diagnosis.cause().startsWith("the library " + library), diagnosis.cause());
            assertTrue(diagnosis.remedy().contains("LD_LIBRARY_PATH"));
        }
    }

    @Test
    void aGpuWithoutKernelsIsNamed() {
        assertTrue(cause("Error code - ORT_FAIL - message: Non-zero status code returned while running Add node. Name:'Add_15' Status "
                + "Message: CUDA error cudaErrorNoKernelImageForDevice:no kernel image is available for execution on the device", true)
                .startsWith("ONNX Runtime has no code for the compute capability of GPU 2"));
    }

    @Test
    void anAddressThatIsNoGpuIsNamed() {
        assertTrue(cause(CUDA_CALL + "CUDA failure 101: invalid device ordinal" + SET_DEVICE, true).startsWith("there is no GPU 2"));
    }

    @Test
    void librariesThatDoNotFitAreTold() {
        assertTrue(cause(CUDA_CALL + "CUDNN failure 1001: CUDNN_STATUS_NOT_INITIALIZED ; GPU=0 ; hostname=node ; "
                + "expr=cudnnCreate(&cudnn_handle_);", true).startsWith("the CUDA libraries do not fit"));
    }

    @Test
    void whatIsNotKnownIsQuotedAndNothingIsBlamed() {
        GpuDiagnosis diagnosis = GpuDiagnosis.of("something new", 0, true);
        assertEquals("ONNX Runtime could not start its CUDA provider (something new)", diagnosis.cause());
        assertEquals("ONNX Runtime could not start its CUDA provider (null)", cause(null, true));
        assertTrue(diagnosis.remedy().endsWith("or set the device to cpu"));
    }

    @Test
    void cudasOwnWordsAreQuotedWithoutTheSignatureBeforeThem() {
        assertTrue(cause(NO_DEVICE, true).contains("(CUDA failure 100: no CUDA-capable"), cause(NO_DEVICE, true));
        assertFalse(cause(NO_DEVICE, true).contains("conditional_t"));
    }

    @Test
    void wantOfMemoryIsKnownByItsManyNames() {
        for (String message : new String[] {
            "Non-zero status code returned while running Conv node. Name:'Conv_111' Status Message: /onnxruntime_src/onnxruntime/core/"
                + "framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) "
                + "Failed to allocate memory for requested buffer of size 13111296",
            "Available memory of 1048576 is smaller than requested bytes of 8388608",
            "Non-zero status code returned while running Gemm node. Name:'fc1' Status Message: CUBLAS failure 3: "
                + "CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=node ; expr=cublasCreate(&cublas_handle_);",
            "CUDA failure 2: out of memory ; GPU=0 ; hostname=node ; expr=cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);",
            "Error code - ORT_RUNTIME_EXCEPTION - message: Exception during initialization: std::bad_alloc"}) {
            assertTrue(GpuDiagnosis.isOutOfMemory(message), message);
            assertTrue(cause(message, true).startsWith("GPU 2 has not enough free memory"), message);
        }
        assertFalse(GpuDiagnosis.isOutOfMemory(NO_DEVICE));
        assertFalse(GpuDiagnosis.isOutOfMemory(null));
    }
}
