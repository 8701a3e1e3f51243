package org.potstill.teacher;

import org.potstill.errors.UserException;

/** Every error of this module that a user can mend. */
final class TeacherErrors {
    private TeacherErrors() {
    }

    static UserException badThreads(int threads) {
        return new UserException("unusable number of teacher threads: " + threads, "it must be at least 1",
                "set it to the number of cores that one executor may use");
    }

    static UserException badGpu(int gpu) {
        return new UserException("unusable GPU number: " + gpu, "GPUs are counted from 0", "set it to 0 or more");
    }

    static UserException noCudaBuild() {
        return new UserException("the teacher cannot run on CUDA", "this build has ONNX Runtime for the CPU only",
                "build with the cuda profile (mvn -Pcuda), or set the device to cpu or auto");
    }

    static UserException noUsableGpu(int gpu, Throwable origin) {
        GpuDiagnosis why = GpuDiagnosis.of(origin.getMessage(), gpu, GpuDiagnosis.driverInstalled());
        return new UserException("the teacher cannot run on CUDA", why.cause(), why.remedy(), origin);
    }

    static UserException badLength(int index, int length, int min, int max) {
        return new UserException("sequence " + index + " of the batch has " + length + " tokens",
                "the teacher scores sequences of " + min + " to " + max + " tokens",
                "cut the corpus into chunks within the teacher's context");
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

    static UserException outOfMemory(int tokens, Throwable origin) {
        return new UserException("the teacher has not enough memory for one sequence of " + tokens + " tokens",
                String.valueOf(origin.getMessage()),
                "raise spark.executor.memoryOverhead (or take a GPU with more memory), or lower sequence-length", origin);
    }

    static UserException engineFailed(String what, Throwable origin) {
        return new UserException("the teacher failed to " + what, String.valueOf(origin.getMessage()),
                "if memory ran out, raise spark.executor.memoryOverhead; otherwise report this with the message above", origin);
    }
}
