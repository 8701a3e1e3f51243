// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.errors;

import java.nio.file.Path;
import org.potstill.errors.UserException;

/** Factory of all user errors of this module. */
public final class StudentErrors {
    private StudentErrors() {
    }

    public static UserException vocabularyMisfit(int id, int vocabSize) {
        return new UserException("a student whose vocabulary does not fit the cache",
                "the text holds token " + id + ", which lies outside the student's vocabulary of " + vocabSize,
                "use a student with a row for every token of the tokenizer that made the cache, or label the corpus anew");
    }

    public static UserException sequenceTooLong(int positions, int maxPositionEmbeddings) {
        return new UserException("a sequence too long for the student",
                "it has " + positions + " positions, but max_position_embeddings is " + maxPositionEmbeddings,
                "raise the student's max_position_embeddings, or cut the corpus into shorter sequences");
    }

    public static UserException initialWeightsMisfit(String checkpoint, String what, Object there, Object wanted) {
        return new UserException("the student does not fit the weights of " + checkpoint + " that it is to begin with",
                what + " is " + there + " there, and the student's is " + wanted,
                "leave the student's shape as the checkpoint has it, with as many layers or fewer, or let it begin at random");
    }

    public static UserException tooManyParameters(long parameters) {
        return new UserException("a student of " + parameters + " parameters",
                "a student's parameters are one buffer of single-precision numbers, and a buffer ends at 2 GiB: 2^29 - 1 parameters",
                "choose a smaller vocab_size, hidden_size or num_hidden_layers");
    }

    public static UserException teacherOnly(Object family) {
        return new UserException("a student of the architecture " + family, "mixtures of experts can only teach",
                "let the student begin with a model without experts and with the same tokenizer, or at random");
    }

    public static UserException noBf16() {
        return new UserException("training in bfloat16 is not possible here",
                "it needs a CPU with the avx512_bf16 instructions, on Linux x86-64",
                "set train.precision = fp32, or choose machines with such processors (Zen 4, Cooper Lake, Sapphire Rapids)");
    }

    public static UserException badOptions(String cause) {
        return new UserException("unusable training options", cause, "correct the student's training options");
    }

    public static UserException nonFiniteLoss(int step, double loss, double gradientNorm) {
        return new UserException("training diverged at step " + step,
                "the loss is " + loss + " and the norm of the gradient is " + gradientNorm,
                "lower the learning rate, lengthen the warm-up, or clip gradients; the parameters are those before the step");
    }

    public static UserException initialWeightNotFinite(String checkpoint, String tensor, float value) {
        return new UserException("cannot initialise the student from " + checkpoint, "its tensor " + tensor + " holds " + value,
                "check the model: compare the file's checksum, or convert it again");
    }

    public static UserException unusableFolder(Path folder, Exception origin) {
        return new UserException("cannot use the student folder " + folder, String.valueOf(origin.getMessage()),
                "check that the folder exists and may be read and written", origin);
    }

    public static UserException wrongLength(String what, long length, long expected) {
        return new UserException(what + " that do not fit the student",
                "there are " + length + " numbers, not " + expected,
                "go on with the configuration that they were made with");
    }

    public static UserException engineLacks(String what, String instead) {
        return new UserException("ONNX Runtime cannot train with these settings", "its training graph does not have " + what,
                instead + ", or set train.engine = dl4j");
    }

    public static UserException engineFailed(String what, Exception origin) {
        return new UserException("ONNX Runtime could not " + what + " to train the student", String.valueOf(origin.getMessage()),
                "check the driver and the memory of the GPU; smaller batches (train.batch-size) need less, or set train.engine = dl4j", origin);
    }
}
