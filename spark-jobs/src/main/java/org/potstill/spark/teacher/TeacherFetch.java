// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.potstill.checkpoints.io.PrivateFolder;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.errors.JobErrors;

/**
 * Copies a teacher from a Hadoop file system to a node, once: a GGUF file with its other parts, another model file with its
 * companion files, or a Hugging Face folder.
 *
 * <p>The copy's folder is named after everything that was copied: a replaced teacher is fetched to a new folder, and the old one
 * stays, as other processes may have it open. The folder appears atomically.
 */
final class TeacherFetch {
    private static final String ONNX = ".onnx";
    private static final String ONNX_FOLDER = "onnx";
    private static final String TEMPLATES_FOLDER = "additional_chat_templates";
    private static final Pattern PART = Pattern.compile("(.*)-[0-9]{5}-of-([0-9]{5})\\.gguf");
    private static final int MAX_FILES = 10_000;
    private static final int CHUNK_BYTES = 1 << 20;

    private final FileSystem fs;
    private final java.nio.file.Path scratch;

    /** @param scratch node-local folder for copies */
    TeacherFetch(FileSystem fs, java.nio.file.Path scratch) {
        this.fs = fs;
        this.scratch = PrivateFolder.in(scratch);
    }

    /**
     * Returns the path of a teacher's local copy, making it if necessary; concurrent tasks and processes wait for the one that copies.
     *
     * @param teacher a file or folder
     */
    java.nio.file.Path fetch(FileStatus teacher) throws IOException {
        Map<String, FileStatus> files = files(teacher);
        java.nio.file.Path target = scratch.resolve("fetched").resolve(digest(teacher, files));
        // File locks are per process, so threads of this process also need a monitor.
        synchronized (TeacherFetch.class) {
            if (!isComplete(target, files)) {
                Files.createDirectories(target.getParent());
                try (FileChannel channel = FileChannel.open(target.resolveSibling(target.getFileName() + ".lock"),
                        StandardOpenOption.CREATE, StandardOpenOption.WRITE); FileLock lock = channel.lock()) {
                    if (!isComplete(target, files)) {
                        copy(files, target);
                    }
                }
            }
        }
        if (teacher.isDirectory()) {
            return target;
        }
        return target.resolve(files.entrySet().stream().filter(file -> file.getValue().getPath().equals(teacher.getPath()))
                .findFirst().orElseThrow().getKey());
    }

    /** Returns the files to copy by their path relative to the copy's folder. */
    private Map<String, FileStatus> files(FileStatus teacher) throws IOException {
        Map<String, FileStatus> files = new TreeMap<>();
        Path path = teacher.getPath();
        if (!teacher.isDirectory()) {
            if (path.getName().matches(".*\\.(onnx|fb|zip)")) {
                beside(teacher, files);
            } else {
                files.put(path.getName(), teacher);
                parts(path, files);
            }
            return files;
        }
        List<FileStatus> all = plainFiles(path);
        boolean safetensors = all.stream().anyMatch(file -> file.getPath().getName().endsWith(".safetensors"));
        for (FileStatus file : all) {
            String name = file.getPath().getName();
            // Repositories often have the same weights in several formats; one is enough.
            if (!safetensors || name.endsWith(".safetensors") || isDescription(name)) {
                files.put(name, file);
            }
        }
        inside(path, TEMPLATES_FOLDER, files);
        if (!safetensors) {
            inside(path, ONNX_FOLDER, files);
        }
        return files;
    }

    /** Adds the files of a folder's inner folder, if there is one. */
    private void inside(Path folder, String inner, Map<String, FileStatus> files) throws IOException {
        Path path = new Path(folder, inner);
        if (fs.exists(path)) {
            plainFiles(path).forEach(file -> files.put(inner + "/" + file.getPath().getName(), file));
        }
    }

    /** Adds the other files of a split GGUF model. */
    private void parts(Path part, Map<String, FileStatus> files) throws IOException {
        Matcher name = PART.matcher(part.getName());
        if (name.matches()) {
            for (FileStatus file : plainFiles(part.getParent())) {
                Matcher other = PART.matcher(file.getPath().getName());
                if (other.matches() && other.group(1).equals(name.group(1)) && other.group(2).equals(name.group(2))) {
                    files.put(file.getPath().getName(), file);
                }
            }
        }
    }

    /** Adds a model file, the files of its folder that may hold weights or the tokenizer, and the tokenizer above {@code onnx/}. */
    private void beside(FileStatus model, Map<String, FileStatus> files) throws IOException {
        Path folder = model.getPath().getParent();
        List<FileStatus> siblings = plainFiles(folder);
        List<String> others = siblings.stream().map(file -> file.getPath().getName())
                .filter(name -> name.endsWith(ONNX) && !name.equals(model.getPath().getName())).toList();
        boolean nested = folder.getName().equals(ONNX_FOLDER) && folder.getParent() != null;
        inside(nested ? folder.getParent() : folder, TEMPLATES_FOLDER, files);
        for (FileStatus file : siblings) {
            String name = file.getPath().getName();
            // Such as model_fp16.onnx and its model_fp16.onnx_data.
            if (others.stream().noneMatch(name::startsWith)) {
                files.put(nested ? ONNX_FOLDER + "/" + name : name, file);
            }
        }
        if (nested) {
            for (FileStatus file : plainFiles(folder.getParent())) {
                if (isDescription(file.getPath().getName())) {
                    files.put(file.getPath().getName(), file);
                }
            }
        }
        files.put(nested ? ONNX_FOLDER + "/" + model.getPath().getName() : model.getPath().getName(), model);
    }

    /** Whether a file holds configuration or tokenizer, not weights. */
    private static boolean isDescription(String name) {
        return name.matches(".*\\.(json|txt|model|jinja)");
    }

    private List<FileStatus> plainFiles(Path folder) throws IOException {
        List<FileStatus> files = new ArrayList<>();
        for (FileStatus status : fs.listStatus(folder)) {
            if (status.isFile() && status.getPath().getName().matches("[A-Za-z0-9][A-Za-z0-9._+=-]{0,200}")) {
                files.add(status);
            }
        }
        if (files.size() > MAX_FILES) {
            throw new IOException(folder + " holds " + files.size() + " files: it is no teacher's folder");
        }
        return files;
    }

    private String digest(FileStatus teacher, Map<String, FileStatus> files) {
        StringBuilder all = new StringBuilder(fs.makeQualified(teacher.getPath()).toString());
        files.forEach((name, file) -> all.append('\n').append(name).append('\n').append(file.getLen()).append('\n')
                .append(file.getModificationTime()));
        return Sha256.of(all.toString()).substring(0, 32);
    }

    private static boolean isComplete(java.nio.file.Path folder, Map<String, FileStatus> files) throws IOException {
        for (Map.Entry<String, FileStatus> file : files.entrySet()) {
            java.nio.file.Path copy = folder.resolve(file.getKey());
            if (!Files.isRegularFile(copy) || Files.size(copy) != file.getValue().getLen()) {
                return false;
            }
        }
        return Files.isDirectory(folder);
    }

    private void copy(Map<String, FileStatus> files, java.nio.file.Path target) throws IOException {
        long free = Files.getFileStore(target.getParent()).getUsableSpace();
        double needed = files.values().stream().mapToDouble(FileStatus::getLen).sum();
        if (needed > free) {
            throw JobErrors.noRoom("the model", target.getParent().toString(), (long) needed, free, "set teacher.scratch to a folder on a larger local disk");
        }
        // We hold the lock, so existing files are damaged or left over from a killed process.
        java.nio.file.Path incoming = target.resolveSibling(target.getFileName() + ".incoming");
        delete(incoming);
        delete(target);
        Files.createDirectories(incoming);
        try {
            for (Map.Entry<String, FileStatus> file : files.entrySet()) {
                java.nio.file.Path copy = incoming.resolve(file.getKey());
                Files.createDirectories(copy.getParent());
                copy(file.getValue(), copy);
            }
            Files.move(incoming, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            delete(incoming);
        }
    }

    private void copy(FileStatus file, java.nio.file.Path copy) throws IOException {
        long copied = 0;
        byte[] chunk = new byte[CHUNK_BYTES];
        try (InputStream in = fs.open(file.getPath()); OutputStream out = Files.newOutputStream(copy, StandardOpenOption.CREATE_NEW)) {
            for (int n = in.read(chunk); n >= 0 && copied <= file.getLen(); n = in.read(chunk)) {
                out.write(chunk, 0, n);
                copied += n;
            }
        }
        if (copied != file.getLen()) {
            throw new IOException(file.getPath() + " has not the " + file.getLen() + " bytes that its listing says: it was "
                    + "replaced while it was copied");
        }
    }

    private static void delete(java.nio.file.Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<java.nio.file.Path> tree = Files.walk(folder)) {
                for (java.nio.file.Path file : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }
}
