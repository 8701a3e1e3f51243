// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import org.potstill.errors.UserException;
import org.potstill.jinja.JinjaTemplate;

/** User errors about checkpoints, tokenizers and chat templates; see also {@link UnsupportedErrors}. */
public final class CheckpointErrors {
    private static final String FETCH_AGAIN = "fetch or export the file again and compare its size and checksum";
    private static final String MADE_ANEW = "compare the file's checksum with its publisher's; if they match, convert or export the "
            + "model again";
    private static final String RIGHT_CONFIG = "use the config.json that belongs to these weights, from the model's repository";

    private static final int MAX_LENGTH = 800;

    private CheckpointErrors() {
    }

    public static UserException unreadable(Path file, IOException e) {
        if (Files.isSymbolicLink(file) && !Files.exists(file)) {
            try {
                return UnsupportedErrors.danglingLink(file, Files.readSymbolicLink(file));
            } catch (IOException gone) {
                e.addSuppressed(gone);
            }
        }
        boolean missing = (e instanceof FileNotFoundException || e instanceof NoSuchFileException) && !Files.exists(file);
        return new UserException("cannot read " + file, missing ? "there is no such file" : String.valueOf(e),
                missing ? "check the path; download a model on the Hugging Face Hub first: hf download NAME --local-dir FOLDER"
                        : "check the path and its permissions", e);
    }

    public static UserException unwritable(Path file, IOException e) {
        return new UserException("cannot write " + file, String.valueOf(e),
                "check that the folder exists, is writable and has free space", e);
    }

    static UserException foreignFolder(Path folder, String owner) {
        return new UserException("cannot keep private files in " + folder, "it belongs to " + owner
                + " or is writable by others, so its contents are not trusted",
                "set teacher.scratch to a folder that only this user can write to, or that this user can create");
    }

    static UserException noexec(String library, Path folder, Throwable origin) {
        return new UserException("cannot load the native library of " + library, "it would be loaded from " + folder
                + ", which is mounted with noexec",
                "use another temporary folder, for instance JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=/var/tmp; set it for executors in "
                        + "spark.executor.extraJavaOptions", origin);
    }

    static UserException nativeLibraryAt(String library, String property, String folder, String why, Throwable origin) {
        return new UserException("cannot load the native library of " + library + " from " + folder + " (" + property + ")", why,
                "leave -D" + property + " out of the Java options of the driver and of executors, or name a folder on each machine that "
                        + "has this build's ai/onnxruntime/native/linux-x64 from potstill.jar", origin);
    }

    static UserException nativeLibrary(String library, String why, Throwable origin) {
        return new UserException("cannot load the native library of " + library, why,
                "Potstill, including its executors, needs Linux with glibc and free space in the temporary folder (java.io.tmpdir)",
                origin);
    }

    public static UserException malformed(Path file, String format, String cause) {
        return error("cannot read " + file + ": it is not a valid " + format + " file", cause, FETCH_AGAIN);
    }

    public static UserException truncated(Path file, String what, long end, long size) {
        return error("cannot read " + file + ": the file is truncated",
                what + " ends at byte " + end + " but the file has " + size, FETCH_AGAIN);
    }

    public static UserException unsupportedElementType(Path file, String tensor, String type, String supported) {
        return error("cannot read " + file + ": tensor " + tensor + " has element type " + type,
                "supported types are " + supported, "convert the checkpoint to one of these");
    }

    public static UserException unknownTensor(Path file, String name) {
        return error("no tensor " + name + " in " + file, "the checkpoint lacks it",
                "use a complete checkpoint of the model");
    }

    public static UserException badConfig(String source, String cause) {
        return error("invalid model configuration in " + source, cause, RIGHT_CONFIG);
    }

    public static UserException badMetadata(Path file, String cause) {
        return error("invalid model configuration in " + file, cause, MADE_ANEW);
    }

    public static UserException notGguf(Path file, int magic) {
        return error("cannot read " + file + ": it is not a GGUF file",
                "it begins with the bytes " + bytes(magic) + ", not with \"GGUF\"",
                "give the path of a GGUF or ONNX file, or of a Hugging Face folder");
    }

    public static UserException unsupportedGgufVersion(Path file, int version) {
        boolean bigEndian = version == 0x02000000 || version == 0x03000000;
        return error("cannot read " + file + ": unsupported GGUF version",
                bigEndian ? "the file is big-endian" : "it is version " + Integer.toUnsignedString(version)
                        + "; versions 2 and 3 are supported",
                "convert the model again with a current converter, little-endian");
    }

    public static UserException unsupportedArchitecture(Path file, Object architecture) {
        return error("cannot use " + file + " as a model",
                "its architecture (general.architecture) is " + architecture + "; supported are llama, qwen2, qwen3, qwen3moe, smollm3, granite, phi3, olmo2, gemma2 and gemma3",
                "use the same model's Hugging Face folder: " + UnsupportedErrors.ONNX);
    }

    public static UserException unsupportedFeature(Path file, String feature, String key) {
        return error("cannot use " + file + " as a model",
                key + " asks for " + feature + ", which is not supported and would give wrong results if ignored",
                "use the same model's Hugging Face folder: " + UnsupportedErrors.ONNX);
    }

    public static UserException notForGguf(String cause) {
        return error("cannot write the model as GGUF", cause, "export it as safetensors or ONNX");
    }

    public static UserException missingKey(Path file, String key) {
        return error("cannot read " + file + ": its metadata is incomplete", "there is no " + key, MADE_ANEW);
    }

    public static UserException missingTensor(Path file, String name) {
        return error("cannot read " + file + ": tensor " + name + " is missing",
                "the model's configuration requires it", mismatch(file));
    }

    public static UserException tooFewTensors(Path file, int tensors, int layers) {
        return error("cannot read " + file + ": tensors are missing",
                "it has " + tensors + " tensors, too few for the " + layers + " layers of its configuration", mismatch(file));
    }

    public static UserException noCheckpoint(Path folder, String required) {
        return error("cannot open " + folder + " as a model", "it has no " + required,
                "give the path of a GGUF or ONNX file, or of a Hugging Face folder with config.json, tokenizer.json and weights in "
                        + "safetensors (model.safetensors, or shards with model.safetensors.index.json)");
    }

    public static UserException emptyFolder(Path folder) {
        return error("cannot open " + folder + " as a model", "the folder is empty",
                "check the path, or download the model into it: config.json, tokenizer.json and weights");
    }

    public static UserException missingBeside(Path folder, String name, String why) {
        return error("cannot open " + folder + " as a model", "it has no " + name + ": " + why, "download " + name
                + " from the model's repository, too");
    }

    public static UserException badShardName(Path index, String shard) {
        return error("cannot use " + index, "it names the file \"" + shard
                + "\", which is not a .safetensors file in the same folder", MADE_ANEW);
    }

    public static UserException tensorTwice(Path file, String name, Path other) {
        return error("cannot read " + file + ": tensor " + name + " occurs twice",
                other + " has it too", "remove the file that does not belong to the model, or download the folder again");
    }

    public static UserException tensorElsewhere(Path index, String name, String shard) {
        return error("cannot read " + index + ": tensor " + name + " is in another file than the index says",
                "it is in " + shard, MADE_ANEW);
    }

    static UserException tooLarge(Path file, long size, long max) {
        return error("cannot read " + file, "it has " + size + " bytes; the limit is " + max,
                FETCH_AGAIN);
    }

    public static UserException wrongShape(Path file, String name, long[] actual, long[] expected) {
        return error("cannot read " + file + ": tensor " + name + " has the wrong shape",
                "it is " + Arrays.toString(actual) + " but the configuration requires " + Arrays.toString(expected),
                mismatch(file));
    }

    public static UserException wrongVocabSize(Path folder, int said, long rows) {
        return error("cannot use " + folder + " as a model: config.json does not match the weights", "its vocab_size is " + said
                + " and the embedding table has " + rows + " rows", RIGHT_CONFIG + "; if that was written before the table was resized, set "
                + "its vocab_size to " + rows);
    }

    static UserException noRoom(Path folder, long needed, long free) {
        return error("not enough space for the model's weights in " + folder,
                String.format(Locale.ROOT, "%,d bytes are needed, and %,d are free there", needed, free),
                "set teacher.scratch (for export: java.io.tmpdir) to a folder on a larger local disk, or free some space");
    }

    public static UserException onnxTooLarge(Path file, long bytes) {
        return error("cannot read " + file + ": " + (bytes >> 20) + " MiB are too much for one ONNX file",
                "the format is limited to 2 GiB", "export the model with its weights as external data");
    }

    public static UserException onnxGraphTooLarge(Path file, long limit) {
        return error("cannot read " + file + ": its graph is too large",
                "without the raw data of its weights it has more than " + (limit >> 20) + " MiB",
                "export the model with its weights as raw or external data, not as lists of numbers");
    }

    public static UserException onnxDataOutside(Path file, String location) {
        return error("refused to read the weights of " + file,
                "it refers to \"" + location + "\", which is not a file in its own folder",
                "put the model and its data files into one folder, as files rather than links");
    }

    public static UserException notCausalLm(Path file, String cause) {
        return error("cannot use " + file + " as a teacher: it is not a supported causal language model graph",
                "it " + cause, "export it with Hugging Face Optimum for the task text-generation");
    }

    public static UserException noCache(Path file, String cause) {
        return error("cannot generate text with " + file, cause,
                "export it with Hugging Face Optimum for the task text-generation-with-past, in float32");
    }

    public static UserException unknownOperator(Path file, String operator, String definedBy) {
        return error("cannot use " + file + " as a teacher", "its operator " + operator + " is defined by "
                + definedBy + "; only those of ONNX and ONNX Runtime (com.microsoft) are supported",
                "export the model without custom operators and local functions");
    }

    public static UserException notRowByRow(Path file, String operator) {
        return error("cannot use " + file + " as a teacher", "its operator " + operator
                + " works across the whole batch, so a text's probabilities would depend on the other texts in the batch",
                "use the model in float32, float16 or with weights-only quantisation");
    }

    public static UserException weightsAlone(Path file) {
        return error("cannot use " + file + " by itself", "it holds weights, but neither the model's configuration nor its tokenizer",
                "give the path of its folder, with config.json and tokenizer.json in it");
    }

    public static UserException precisionOfReadyMade(Path file, Precision precision) {
        return error("cannot run " + file + " in " + precision,
                "a ready-made graph computes in the precision that it was exported in",
                "set the precision to fp32, or give the model as safetensors or GGUF");
    }

    public static UserException besideMissing(Path model, String name) {
        return error("there is no " + name + " for " + model,
                "it is neither in the model's folder nor in the one above",
                "copy the " + name + " of the original model beside it");
    }

    public static UserException noChatTemplate() {
        return error("the model has no chat template", "neither its tokenizer_config.json nor a chat_template.jinja nor GGUF's "
                + "tokenizer.chat_template holds one", "use a plain prompt, or a model that was trained for chat");
    }

    public static UserException badChatTemplate(String cause) {
        boolean raised = cause.contains(JinjaTemplate.RAISED);
        return error("cannot use the model's chat template", cause, raised ? "give it a conversation of the form that the template expects"
                : "render the conversations with transformers' apply_chat_template(tokenize=False), and pass them as texts "
                        + "with special tokens");
    }

    public static UserException noTokenizer(Path folder) {
        return error("cannot use the tokenizer in " + folder, "it has no tokenizer.json",
                "load the tokenizer with transformers' AutoTokenizer and save it there again, which writes that file");
    }

    public static UserException unsupportedTokenizer(Path file, String key, Object value, String supported) {
        return error("cannot use the tokenizer in " + file,
                key + " is " + value + "; supported are " + supported,
                "use the model's Hugging Face folder, whose tokenizer.json may be of any kind, instead of the GGUF file");
    }

    public static UserException noPreTokenizer(Path file) {
        return error("cannot use the tokenizer in " + file,
                "it lacks tokenizer.ggml.pre, which says how to split text before tokenizing; converters before May 2024 left it out",
                "use the model's Hugging Face folder, or convert it again, or name the tokenizer in a copy of the file: "
                        + "gguf-new-metadata --pre-tokenizer llama-bpe OLD.gguf NEW.gguf (llama-bpe for Llama 3, qwen2 for Qwen 2 and 3)");
    }

    public static UserException badTokenizer(Path file, String cause) {
        return error("cannot use the tokenizer in " + file, cause, FETCH_AGAIN);
    }

    public static UserException otherToken(Path file, String token, long id) {
        return error("the tokenizer in " + file + " lacks a token", "tokenizer_config.json says that \"" + token + "\" has the id " + id
                + ", which tokenizer.json does not have, and transformers would give it another",
                "convert the tokenizer again: AutoTokenizer.from_pretrained(model).save_pretrained(folder)");
    }

    public static UserException tokenBeyondRows(Path file, String token, Object id, int rows) {
        return error("the tokenizer in " + file + " does not match the model", "the token " + token + " has the id " + id
                + " but the model's embedding has " + rows + " rows",
                "use the tokenizer that the model was saved with, or resize the model's embedding with transformers' resize_token_embeddings");
    }

    public static UserException badTokenizerDefinition(String cause) {
        return error("cannot use the tokenizer", cause, "use a valid tokenizer.json");
    }

    /** The remedy where weights and configuration disagree; a GGUF file holds both. */
    static String mismatch(Path file) {
        return Files.isDirectory(file) || file.toString().endsWith(".safetensors") ? RIGHT_CONFIG : MADE_ANEW;
    }

    /** Makes an error whose text may quote an untrusted file: truncates it, and replaces control characters. */
    static UserException error(String problem, String cause, String remedy) {
        return new UserException(printable(problem), printable(cause), printable(remedy));
    }

    private static String printable(String text) {
        String words = text.length() <= MAX_LENGTH ? text : text.substring(0, MAX_LENGTH) + " ...";
        return words.replaceAll("\\p{Cntrl}", "?");
    }

    private static String bytes(int magic) {
        return String.format(Locale.ROOT, "%02x %02x %02x %02x", magic & 255, magic >> 8 & 255, magic >> 16 & 255, magic >>> 24);
    }
}
