// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import static org.potstill.checkpoints.io.CheckpointErrors.error;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.potstill.errors.UserException;

/** User errors about models and files that are valid but unsupported. */
public final class UnsupportedErrors {
    public static final String ONNX = "export it to ONNX, which works for any architecture: optimum-cli export onnx --model MODEL "
            + "--task text-generation-with-past FOLDER, or torch.onnx.export(dynamo=True)";
    private static final String SAVE = "load it with transformers' AutoModelForCausalLM and write it with "
            + "save_pretrained(FOLDER, safe_serialization=True), and its tokenizer likewise";

    private static final Pattern LAYER = Pattern.compile("(?:model\\.layers|blk)\\.([0-9]{1,6})\\..*");

    private UnsupportedErrors() {
    }

    public static UserException architecture(String source, Object modelType) {
        return error("cannot use the model of " + source, "its architecture (model_type) is " + modelType
                + "; supported natively are llama, mistral, qwen2, qwen3, smollm3, granite, phi3, olmo2, gemma2, gemma3_text, mixtral and qwen3_moe", ONNX);
    }

    public static UserException quantisedExperts(Object family, Precision precision) {
        return error("cannot run a " + family + " model in " + precision, "it is a mixture of experts, which run in fp32 and fp16",
                "set teacher.precision to fp32, or to fp16 on a GPU");
    }

    public static UserException prunedExperts(Object family) {
        return error("cannot prune a " + family + " model", "it is a mixture of experts", "prune a model without experts; this one can be its teacher");
    }

    public static UserException feature(String source, String cause) {
        return error("cannot use the model of " + source, cause + "; ignoring it would give wrong results", ONNX);
    }

    /** @param onnx a file beside the model that can be read instead */
    public static UserException readableAsOnnx(UserException error, Path onnx) {
        return error(error.problem(), error.cause(), "give the path " + onnx + ", a file beside it that works for any architecture");
    }

    public static UserException quantised(String source, Object method) {
        String remedy = switch (String.valueOf(method)) {
            case "bitsandbytes", "bitsandbytes_4bit", "bitsandbytes_8bit" ->
                    "use the unquantised model, or load this one with transformers, call dequantize() and then save_pretrained()";
            case "fp8", "mxfp4", "fbgemm_fp8" -> "use the model in bfloat16, or load this one with transformers and a quantization_config "
                    + "with dequantize=True, and write it with save_pretrained()";
            default -> "use the model that it was quantised from, or a GGUF file of it in Q8_0, Q6_K or Q4_K";
        };
        return error("cannot use the model of " + source, "its weights are quantised (" + method + "), which is not supported", remedy);
    }

    public static UserException adapter(Path folder, String base) {
        return error("cannot use " + folder + " as a model", "it holds an adapter (LoRA) of "
                + (base.isEmpty() ? "another model" : base) + ", not a whole model",
                "merge them with peft: PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(FOLDER), and save the "
                + "base model's tokenizer there, too");
    }

    /** Reports a whole model beside an adapter, which transformers applies to it where peft is installed. */
    public static UserException adapterBeside(Path folder, String base) {
        return error("cannot use " + folder + " as a model", "beside whole weights it has adapter_config.json, of an adapter (LoRA) of "
                + (base.isEmpty() ? "another model" : base) + "; transformers with peft applies that to them",
                "to use both, merge them: AutoModelForCausalLM.from_pretrained(FOLDER), then merge_and_unload() and save_pretrained(); to "
                + "use the weights as they are, remove adapter_config.json");
    }

    /** Reports a file whose first bytes show a format that no model is read from. */
    public static UserException foreign(Path file, FileSignature found) {
        String remedy = switch (found) {
            case PICKLE, PYTORCH -> SAVE;
            case HDF5 -> SAVE + "; from_tf=True reads it";
            case SAFETENSORS -> "give the path of its folder, with config.json and tokenizer.json in it";
            case GGUF -> "give it a name that ends in .gguf";
            case GGML -> "use a GGUF file of the model, or convert it with llama.cpp's convert_llama_ggml_to_gguf.py";
            case ORT -> "give the path of the ONNX file that it was made from";
            case WEB_PAGE -> "download it again, for instance with hf download, after hf auth login if the model asks for it";
            default -> (found.isArchive() ? "unpack it, and " : "") + "give the path of a GGUF or ONNX file, or of a Hugging Face folder";
        };
        return error("cannot use " + file, "it is " + found.named(), remedy);
    }

    public static UserException pickle(Path file) {
        return error("cannot use " + file, "its weights are in PyTorch's pickle format, which runs code when it is read", SAVE);
    }

    public static UserException otherFramework(Path file) {
        return error("cannot use " + file, "its weights are in the format of another framework",
                SAVE + "; from_tf=True or from_flax=True reads them");
    }

    /** @param type the file's general.type, other than model */
    public static UserException ggufType(Path file, String type) {
        return switch (type) {
            case "adapter" -> error("cannot use " + file + " as a model", "it holds an adapter (LoRA), not a whole model",
                    "merge it into its base model: llama-export-lora -m BASE --lora ADAPTER -o OUTPUT");
            case "mmproj" -> error("cannot use " + file + " as a model",
                    "it is a multimodal projector (mmproj), which encodes images or audio",
                    "give the GGUF file of the language model that it belongs to");
            case "vocab" -> error("cannot use " + file + " as a model", "it holds a tokenizer and no weights",
                    "give the GGUF file of the whole model");
            default -> error("cannot use " + file + " as a model", "it is of the type " + type + " (general.type)", "give the GGUF file of a model");
        };
    }

    public static UserException makersFormat(Path file) {
        return error("cannot use " + file, "it is in the original authors' format, whose tensor names differ from those of transformers",
                "use the same model in the transformers format (model.safetensors with config.json), or convert it with the "
                + "script that transformers has for this model (convert_..._weights_to_hf.py)");
    }

    static UserException pointer(Path file, PointerFile pointer) {
        return error("cannot read " + file, "it is a " + pointer.system() + " pointer: the file that it stands for was not downloaded",
                "run " + pointer.command() + " in its folder, or download it with hf download");
    }

    /** @param target as the link has it */
    static UserException danglingLink(Path file, Path target) {
        return error("cannot read " + file, "it is a link to " + target + ", which does not exist", PointerFile.isAnnexed(target)
                ? "run " + PointerFile.GIT_ANNEX.command() + " in its folder" : "copy the model with the files that its links lead to (cp -rL), or download it again");
    }

    /** @param path an ONNX file or a folder with one, where weights are needed by name */
    public static UserException readyMade(Path path, Path graph) {
        return error("cannot read the weights of " + path, "they are part of a ready-made graph (" + graph.getFileName() + ")",
                "to use it as a teacher, give the graph's path; otherwise give the same model as safetensors or GGUF");
    }

    public static UserException partOfFile(Path file) {
        return error("cannot read " + file, "by its name it is one piece of a file that was split",
                "join the pieces in order: cat FIRST SECOND ... > model.gguf");
    }

    public static UserException describesOnly(Path file) {
        return error("cannot use " + file + " by itself", "it describes a model but holds no weights", "give the path of its folder");
    }

    /** @param there files or folders where models were found, at least one */
    public static UserException lookInside(Path folder, List<Path> there) {
        return error("cannot open " + folder + " as a model", "it is not a model itself, but holds "
                + (there.size() == 1 ? "" : "several: ") + String.join(", ", there.stream().map(Path::toString).toList()),
                "give the path of " + (there.size() == 1 ? "it" : "one of these"));
    }

    public static UserException unfinishedTraining(Path folder) {
        return error("cannot open " + folder + " as a model", "it holds the checkpoints of a training run that did not finish",
                "finish the training: potstill train, with the same settings, resumes from the last checkpoint");
    }

    public static UserException missingPart(Path part, Path model, int count) {
        return error("cannot read " + model + ": " + part.getFileName() + " is missing", "the model is split into " + count
                + " files, which belong in one folder", "download " + part.getFileName() + " into the same folder");
    }

    public static UserException partName(Path file, long number, long count) {
        return error("cannot read " + file, "its metadata says part " + (number + 1) + " of " + count
                + ", whose name should end in " + String.format(Locale.ROOT, "-%05d-of-%05d.gguf", number + 1, count),
                "restore the original names of the parts, or merge them into one file: llama-gguf-split --merge FIRST OUTPUT");
    }

    public static UserException ggmlType(Path file, String tensor, String type, String supported) {
        return error("cannot read " + file + ": tensor " + tensor + " is in " + type, "supported are " + supported,
                "use a file of the model in one of these, or, with some loss, llama-quantize --allow-requantize " + file.getFileName()
                        + " OUTPUT Q8_0");
    }

    public static UserException elementType(Path file, String tensor, String type) {
        if (type.startsWith("F8")) {
            return quantised(file.toString(), "fp8");
        }
        boolean packed = !type.equals("F64");
        return error("cannot read " + file + ": tensor " + tensor + " is in " + type, packed
                ? "supported are F32, F16 and BF16, and this type is used for quantised weights" : "supported are F32, F16 and BF16",
                packed ? "use the model that it was quantised from" : "load it with transformers in dtype float32 and write it with save_pretrained()");
    }

    /**
     * Reports a tensor that the model's configuration leaves no place for.
     *
     * @param layers that the configuration says there are
     */
    public static UserException tensor(Path file, String name, int layers) {
        String problem = "cannot use " + file + " as a model: unexpected tensor " + name;
        Matcher layer = LAYER.matcher(name);
        if (layer.matches() && Integer.parseInt(layer.group(1)) >= layers) {
            return error(problem, "by its configuration the model ends with layer " + (layers - 1), CheckpointErrors.mismatch(file));
        }
        if (name.contains("lora_") || name.startsWith("base_model.")) {
            return error(problem, "it belongs to an adapter (LoRA) that is not merged", adapter(file, "").remedy());
        }
        if (name.matches(".*\\.(qweight|qzeros|g_idx|scales|weight_packed|weight_scale|weight_scale_inv|input_scale|absmax|quant_map|"
                + "nested_.*|quant_state.*|SCB|weight_format)")) {
            return error(problem, "its weights are quantised in an unsupported format",
                    "use the model that it was quantised from, or a GGUF file of it in Q8_0, Q6_K or Q4_K");
        }
        if (name.endsWith("_proj.bias")) {
            return error(problem, "its configuration declares no such bias (attention_bias, mlp_bias)",
                    "use the config.json that belongs to these weights");
        }
        return error(problem, "its forward pass is not supported", ONNX);
    }

    public static UserException noHead(Path folder) {
        return error("cannot use " + folder + " as a language model", "it is a base model: it has no lm_head.weight, and its "
                + "configuration (tie_word_embeddings) does not tie the head to the embedding table",
                "use the causal language model (one that ends in ForCausalLM) that it belongs to");
    }
}
