// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.huggingface;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.errors.UserException;

/** Diagnosis of a folder that cannot be opened as a model. */
final class FolderDiagnosis {
    private static final int MAX_FOUND = 20;
    private static final int MAX_ADAPTER_BYTES = 1 << 20;

    private final Path folder;
    private final List<String> names;

    private FolderDiagnosis(Path folder) {
        this.folder = folder;
        try (Stream<Path> files = Files.list(folder)) {
            this.names = files.map(file -> file.getFileName().toString()).sorted().limit(10_000).toList();
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(folder, e);
        }
    }

    /** @param required the file without which it is no model, of any format that is read here */
    static UserException of(Path folder, String required) {
        return new FolderDiagnosis(folder).error(required);
    }

    private UserException error(String required) {
        if (names.contains(HuggingFaceCheckpoint.ADAPTER)) {
            boolean whole = names.contains(HuggingFaceCheckpoint.WEIGHTS) || names.contains(HuggingFaceCheckpoint.INDEX);
            return whole ? UnsupportedErrors.adapterBeside(folder, base()) : UnsupportedErrors.adapter(folder, base());
        }
        String pickle = first("(pytorch_model.*|model.*)\\.bin|.*\\.(pt|pth|ckpt)");
        String other = first("(tf_model|flax_model|model).*\\.(h5|msgpack)");
        String makers = first("consolidated.*\\.(safetensors|pth)");
        List<Path> models = names.stream().filter(this::isModel).limit(MAX_FOUND).map(folder::resolve).toList();
        if (!models.isEmpty()) {
            return UnsupportedErrors.lookInside(folder, models);
        }
        String graph = first(".*\\.onnx");
        if (graph != null) {
            return UnsupportedErrors.readyMade(folder, folder.resolve(graph));
        }
        if (makers != null && first("pytorch_model.*\\.bin") == null) {
            return UnsupportedErrors.makersFormat(folder.resolve(makers));
        }
        if (pickle != null) {
            return UnsupportedErrors.pickle(folder.resolve(pickle));
        }
        if (other != null) {
            return UnsupportedErrors.otherFramework(folder.resolve(other));
        }
        if (Files.isDirectory(folder.resolve("checkpoints")) && !names.contains("config.json")) {
            return UnsupportedErrors.unfinishedTraining(folder);
        }
        List<Path> inside = Stream.concat(subfolders("."), subfolders("snapshots")).limit(MAX_FOUND).toList();
        if (!inside.isEmpty()) {
            return UnsupportedErrors.lookInside(folder, inside);
        }
        String shard = first("model-[0-9]+-of-[0-9]+\\.safetensors");
        if (shard != null && !required.equals("config.json")) {
            return CheckpointErrors.missingBeside(folder, "model.safetensors.index.json", "it says which tensor is in which of the files");
        }
        return names.isEmpty() ? CheckpointErrors.emptyFolder(folder) : CheckpointErrors.noCheckpoint(folder, required);
    }

    /** Returns whether a file can be opened as a model by its own path; of a model in parts, only the first. */
    private boolean isModel(String name) {
        return name.endsWith(".gguf") && !name.matches(".*-(?!00001)[0-9]{5}-of-[0-9]{5}\\.gguf");
    }

    private String first(String pattern) {
        return names.stream().filter(name -> name.matches(pattern)).findFirst().orElse(null);
    }

    /** Returns subfolders that may hold models: checkpoints of a training run, or snapshots of the Hugging Face cache. */
    private Stream<Path> subfolders(String below) {
        Path parent = folder.resolve(below).normalize();
        if (!Files.isDirectory(parent)) {
            return Stream.of();
        }
        try (Stream<Path> files = Files.list(parent)) {
            return files.filter(file -> Files.isRegularFile(file.resolve("config.json"))).sorted().toList().stream();
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(parent, e);
        }
    }

    private String base() {
        try {
            Object base = Json.object(BoundedFile.text(folder.resolve(HuggingFaceCheckpoint.ADAPTER), MAX_ADAPTER_BYTES))
                    .get("base_model_name_or_path");
            return base instanceof String name ? name : "";
        } catch (Json.MalformedException e) {
            return "";
        }
    }
}
