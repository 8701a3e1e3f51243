package org.potstill.checkpoints;

import static org.potstill.checkpoints.CheckpointErrors.error;

import java.nio.file.Path;
import java.util.List;
import org.potstill.errors.UserException;

/** The errors of models and files that are sound, and not of a kind that is read here: each says what it is and what to do. */
final class UnsupportedErrors {
    static final String ONNX = "export it to ONNX, which any architecture can be read from: optimum-cli export onnx --model MODEL "
            + "--task text-generation-with-past FOLDER, or torch.onnx.export(dynamo=True)";
    private static final String SAVE = "load it with transformers' AutoModelForCausalLM and write it with "
            + "save_pretrained(FOLDER, safe_serialization=True), and its tokenizer likewise";

    private UnsupportedErrors() {
    }

    static UserException architecture(String source, Object modelType) {
        return error("cannot use the model of " + source, "its architecture (model_type) is " + modelType
                + "; what is read natively is llama, mistral, qwen2 and qwen3", ONNX);
    }

    static UserException feature(String source, String cause) {
        return error("cannot use the model of " + source, cause + "; ignored, it would give wrong results", ONNX);
    }

    /** @param onnx a file beside the model that can be read in its place */
    static UserException readableAsOnnx(UserException error, Path onnx) {
        return error(error.problem(), error.cause(), "give the path " + onnx + ", which lies beside it and is read whatever its architecture");
    }

    static UserException quantised(String source, Object method) {
        String remedy = switch (String.valueOf(method)) {
            case "bitsandbytes", "bitsandbytes_4bit", "bitsandbytes_8bit" ->
                    "use the unquantised model, or load this one with transformers, call dequantize() and then save_pretrained()";
            case "fp8", "mxfp4", "fbgemm_fp8" -> "use the model in bfloat16, or load this one with transformers and a quantization_config "
                    + "that says dequantize=True, and write it with save_pretrained()";
            default -> "use the model that it was quantised from, or a GGUF file of it in Q8_0, Q6_K or Q4_K";
        };
        return error("cannot use the model of " + source, "its weights are quantised (" + method + "), which is not read here", remedy);
    }

    static UserException adapter(Path folder, String base) {
        return error("cannot use " + folder + " as a model", "it holds an adapter (LoRA) of "
                + (base.isEmpty() ? "another model" : base) + ", not a whole model",
                "merge them with peft: PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(FOLDER), and save the "
                + "base model's tokenizer there, too");
    }

    static UserException pickle(Path file) {
        return error("cannot use " + file, "its weights are in PyTorch's own format, a program that would run when it is read", SAVE);
    }

    static UserException otherFramework(Path file) {
        return error("cannot use " + file, "its weights are in the format of another framework",
                SAVE + "; from_tf=True or from_flax=True reads them");
    }

    /** @param type what it says of itself, where that is not a model */
    static UserException ggufType(Path file, String type) {
        return switch (type) {
            case "adapter" -> error("cannot use " + file + " as a model", "it holds an adapter (LoRA), not a whole model",
                    "merge it into its base model: llama-export-lora -m BASE --lora ADAPTER -o OUTPUT");
            case "mmproj" -> error("cannot use " + file + " as a model", "it is the part of a model that sees or hears (mmproj)",
                    "give the GGUF file of the language model that it belongs to");
            case "vocab" -> error("cannot use " + file + " as a model", "it holds a tokenizer and no weights",
                    "give the GGUF file of the whole model");
            default -> error("cannot use " + file + " as a model", "it is of the type " + type + " (general.type)", "give the GGUF file of a model");
        };
    }

    static UserException makersFormat(Path file) {
        return error("cannot use " + file, "it is in its makers' own format, with other names of tensors than transformers has",
                "use the same model's files in the format of transformers (model.safetensors with config.json), or convert it with the "
                + "script that transformers has for this model (convert_..._weights_to_hf.py)");
    }

    static UserException pointer(Path file) {
        return error("cannot read " + file, "it is a Git LFS pointer: the file that it stands for was not fetched",
                "run git lfs pull in its folder, or fetch it with hf download");
    }

    /** @param path an ONNX file or a folder with one, where weights are wanted by their names */
    static UserException readyMade(Path path, Path graph) {
        return error("cannot read the weights of " + path, "they are part of a ready-made graph (" + graph.getFileName() + ")",
                "as a teacher, give the graph's own path; else give the same model as safetensors or GGUF");
    }

    static UserException partOfFile(Path file) {
        return error("cannot read " + file, "by its name it is a piece of a file that was cut, and no file by itself",
                "join the pieces in their order: cat FIRST SECOND ... > model.gguf");
    }

    static UserException describesOnly(Path file) {
        return error("cannot use " + file + " by itself", "it describes a model, and holds no weights", "give the folder that it lies in");
    }

    /** @param there where models were found: files or folders, at least one */
    static UserException lookInside(Path folder, List<Path> there) {
        return error("cannot open " + folder + " as a model", "it is none itself, and holds " + (there.size() == 1 ? "" : "several: ")
                + String.join(", ", there.stream().map(Path::toString).toList()), "give the path of " + (there.size() == 1 ? "it" : "one of these"));
    }

    static UserException missingPart(Path part, Path model, int count) {
        return error("cannot read " + model + ": " + part.getFileName() + " is missing", "the model is split into " + count
                + " files, which belong in one folder", "fetch " + part.getFileName() + ", too, into the same folder");
    }

    static UserException partName(Path file, long number, long count) {
        return error("cannot read " + file, "it says that it is part " + (number + 1) + " of " + count
                + ", and the names of parts end in " + String.format("-%05d-of-%05d.gguf", number + 1, count),
                "give the parts the names that they were made with, or make one file of them: llama-gguf-split --merge FIRST OUTPUT");
    }

    static UserException ggmlType(Path file, String tensor, String type, String supported) {
        return error("cannot read " + file + ": tensor " + tensor + " is in " + type, "what is read is " + supported,
                "use a file of the model in one of these, or, at a loss, llama-quantize --allow-requantize " + file.getFileName()
                        + " OUTPUT Q8_0");
    }

    static UserException elementType(Path file, String tensor, String type) {
        if (type.startsWith("F8")) {
            return quantised(file.toString(), "fp8");
        }
        boolean packed = !type.equals("F64");
        return error("cannot read " + file + ": tensor " + tensor + " is in " + type, packed
                ? "weights are read in F32, F16 and BF16, and in such numbers they are quantised" : "weights are read in F32, F16 and BF16",
                packed ? "use the model that it was quantised from" : "load it with transformers in dtype float32 and write it with save_pretrained()");
    }

    /** A tensor that no model of the family has. */
    static UserException tensor(Path file, String name) {
        String problem = "cannot use " + file + " as a model: tensor " + name + " is not part of one of its kind";
        if (name.contains("lora_") || name.startsWith("base_model.")) {
            return error(problem, "it belongs to an adapter (LoRA) that is not merged", adapter(file, "").remedy());
        }
        if (name.matches(".*\\.(qweight|qzeros|g_idx|scales|weight_packed|weight_scale|weight_scale_inv|input_scale|absmax|quant_map|"
                + "nested_.*|quant_state.*|SCB|weight_format)")) {
            return error(problem, "its weights are quantised in a way that is not read here",
                    "use the model that it was quantised from, or a GGUF file of it in Q8_0, Q6_K or Q4_K");
        }
        if (name.endsWith("_proj.bias")) {
            return error(problem, "by its configuration the model has no such bias (attention_bias, mlp_bias)",
                    "use the config.json that belongs to these weights");
        }
        return error(problem, "the forward pass that it needs is not known here", ONNX);
    }

    static UserException noHead(Path folder) {
        return error("cannot use " + folder + " as a language model", "it is a base model: it has no lm_head.weight, and by its "
                + "configuration (tie_word_embeddings) the head is not the embedding table",
                "use the causal language model (one that ends in ForCausalLM) that it belongs to");
    }
}
