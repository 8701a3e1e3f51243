// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.errors.UserException;

/** All errors of this module that a user can fix. */
public final class TeacherErrors {
    private TeacherErrors() {
    }

    static UserException badThreads(int threads) {
        return new UserException("invalid number of teacher threads: " + threads, "it must be at least 1",
                "set it to the number of cores that one executor may use");
    }

    static UserException badGpu(int gpu) {
        return new UserException("invalid GPU number: " + gpu, "GPUs are counted from 0", "set it to 0 or more");
    }

    static UserException nd4jPrecision(Precision precision) {
        return new UserException("the teacher cannot run in " + precision, "the ND4J engine computes in FP32 only",
                "set teacher.precision to fp32, or teacher.engine to onnx");
    }

    static UserException precisionOfDevice(Precision precision, TeacherOptions.Device device) {
        return new UserException("the teacher cannot run in " + precision + " on " + device,
                switch (precision) {
                    case INT8 -> "ONNX Runtime has 8-bit matrix products for CPUs";
                    case BF16 -> "its bfloat16 products are for CPUs";
                    default -> "half precision is for GPUs: CPUs convert it back and forth";
                }, "set teacher.precision to " + (precision == Precision.FP16 ? "int8 or fp32" : "fp16 or fp32")
                        + ", or teacher.device to " + (precision == Precision.FP16 ? "cuda" : "cpu"));
    }

    public static UserException noGpuForHalfPrecision() {
        return new UserException("the teacher cannot run in FP16", "half precision is for GPUs, and this build has ONNX Runtime for the CPU only",
                "set teacher.precision to int8 or fp32, or build with the cuda profile (mvn -Pcuda) and run on a GPU");
    }

    public static UserException noBf16() {
        return new UserException("the teacher cannot run in BF16 here", "it needs a CPU with the avx512_bf16 instructions, on Linux x86-64",
                "set teacher.precision to int8 or fp32, or choose machines with such processors (Zen 4, Cooper Lake, Sapphire Rapids)");
    }

    public static UserException bf16OnlyScores() {
        return new UserException("the teacher cannot write in BF16", "its bfloat16 engine scores text and does not continue it",
                "set teacher.precision to fp32 or int8 to write");
    }

    public static UserException notWrittenOnGpus() {
        return new UserException("the teacher cannot write on a GPU", "it is a ready-made graph, or its heads are wider than 256 or no multiple of 16",
                "set teacher.precision to int8 or fp32 to write on the CPU, or name a server that runs the teacher in teacher.url");
    }

    public static UserException needsOnnx() {
        return new UserException("the ND4J engine cannot run this model", "it is a ready-made ONNX graph",
                "set teacher.engine to onnx");
    }

    public static UserException noCudaBuild() {
        return new UserException("the teacher cannot run on CUDA", "this build has ONNX Runtime for the CPU only",
                "build with the cuda profile (mvn -Pcuda), or set the device to cpu or auto");
    }

    public static UserException noUsableGpu(int gpu, Throwable origin) {
        GpuDiagnosis why = GpuDiagnosis.of(origin.getMessage(), gpu, GpuDiagnosis.driverInstalled());
        return new UserException("the teacher cannot run on CUDA", why.cause(), why.remedy(), origin);
    }

    public static UserException noNd4jCudaBuild() {
        return new UserException("the teacher cannot run on CUDA", "this build has ND4J for the CPU only",
                "build with the cuda profile (mvn -Pcuda), or set the device to cpu or auto");
    }

    public static UserException nd4jNeedsCuda() {
        return new UserException("the teacher cannot run on the CPU", "this build has ND4J for CUDA only",
                "build without the cuda profile, set the device to cuda or auto, or set the engine to onnx");
    }

    public static UserException noGpuForNd4j(String cause, Throwable origin) {
        return new UserException("ND4J cannot start", cause,
                "check nvidia-smi, the driver and the CUDA 11.6 libraries, or set the engine to onnx", origin);
    }

    public static UserException gpuBeyondNd4j(String name, int major, int minor) {
        return new UserException("ND4J cannot use the GPU " + name,
                "it has compute capability " + major + "." + minor + ", and nd4j-cuda-11.6 has code for 3.7 to 8.9 only",
                "set the engine to onnx, or use a V100, T4, A100, A10G or L4");
    }

    public static UserException notAPlainLlama(CausalLmConfig config) {
        return new UserException("the ND4J engine cannot run this teacher",
                "it supports only plain Llama models, and this one has " + String.join(", ", features(config)),
                "set teacher.engine to onnx");
    }

    /** Lists what distinguishes a model from a plain Llama. */
    private static List<String> features(CausalLmConfig config) {
        CausalLmConfig.Variant variant = config.variant();
        List<String> features = new ArrayList<>();
        if (variant.family() != CausalLmConfig.Family.LLAMA) {
            features.add("the layers of " + variant.family().name().toLowerCase(Locale.ROOT));
        }
        if (variant.attentionBias() || variant.mlpBias()) {
            features.add("biases");
        }
        if (variant.slidingWindow() > 0) {
            features.add("a sliding window");
        }
        if (!variant.ropeDivisors().isEmpty()) {
            features.add("scaled positions (rope_scaling)");
        }
        return features;
    }

    public static UserException unreadable(Path file, IOException e) {
        return new UserException("cannot read " + file, String.valueOf(e), "check the path and its permissions", e);
    }

    public static UserException needsNd4j(Path file) {
        return new UserException("ONNX Runtime cannot run " + file, "it is a SameDiff or Deeplearning4j model",
                "set the engine to nd4j");
    }

    public static UserException badSampling(String what, Number value, String range) {
        return new UserException("invalid " + what + ": " + value, "it must be " + range, "correct it");
    }

    public static UserException badPrompt(int tokens, int max) {
        return new UserException("cannot continue a prompt of " + tokens + " tokens", "the model reads 1 to " + max,
                tokens == 0 ? "give a prompt" : "shorten the prompt, or use a model with a longer context");
    }

    public static UserException notFinite(int tokens) {
        return new UserException("the model's logits are not finite after " + tokens + " tokens", "its weights are NaN or infinite, or its activations overflow",
                "check the model: compare the file's checksum, or convert it again");
    }

    public static UserException cannotCompare(String model) {
        return new UserException("cannot prune " + model, "its probabilities are not finite: its weights are NaN or infinite, or its activations "
                + "overflow", "check the model: compare the file's checksum, or convert it again");
    }

    public static UserException cannotGenerate(Path file) {
        return new UserException("cannot generate text with " + file,
                "it is a SameDiff or Deeplearning4j model, which has no key-value cache",
                "use the model as GGUF, safetensors or ONNX");
    }

    public static UserException badModelFile(Path file, String cause) {
        return new UserException("cannot use " + file + " as a teacher", cause,
                "save it as a SameDiff file or with Deeplearning4j's ModelSerializer, without updater and normalizer");
    }

    public static UserException forbiddenClass(Path file, String name) {
        return new UserException("refused to load " + file, "it names the class " + name
                + ", but only classes of Deeplearning4j and ND4J themselves are loaded",
                "use a model without custom classes, or export it to SameDiff");
    }

    public static UserException notCausal(Path file, int position, double difference) {
        return new UserException("cannot use " + file + " as a teacher", "it is not causal: its output at position "
                + position + " changes by " + difference + " with later tokens",
                "use a model that predicts each token only from those before it");
    }

    static UserException badLength(int index, int length, int min, int max) {
        return new UserException("sequence " + index + " of the batch has " + length + " tokens",
                "the teacher scores sequences of " + min + " to " + max + " tokens",
                "set sequence-length within the teacher's context");
    }

    static UserException badToken(int index, int position, int id, int vocabSize) {
        return new UserException("sequence " + index + " of the batch has token id " + id + " at position " + position,
                "the teacher's ids are 0 to " + (vocabSize - 1),
                "tokenize the corpus with the teacher's own tokenizer");
    }

    static UserException tooManyLogits(int positions, int vocabSize) {
        return new UserException("cannot return full logits of " + positions + " positions",
                "times " + vocabSize + " tokens is more than one array holds", "ask for a shorter sequence");
    }

    public static UserException outOfMemory(int tokens, Throwable origin) {
        return new UserException("not enough memory for the teacher to score one sequence of " + tokens + " tokens",
                String.valueOf(origin.getMessage()),
                "raise spark.executor.memoryOverhead (or use a GPU with more memory), or lower sequence-length", origin);
    }

    public static UserException layersOutOfMemory(Throwable origin) {
        return new UserException("not enough memory to run the model layer by layer", String.valueOf(origin.getMessage()),
                "raise spark.executor.memoryOverhead (or use a GPU with more memory), or lower batch-tokens or "
                        + "prune.calibration-tokens", origin);
    }

    public static UserException engineFailed(String what, Throwable origin) {
        return new UserException("the teacher failed to " + what, String.valueOf(origin.getMessage()),
                "if memory ran out, raise spark.executor.memoryOverhead; otherwise report this with the message above", origin);
    }
}
