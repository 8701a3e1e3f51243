// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Optional;
import java.util.stream.Stream;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.huggingface.ModelFolder;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.io.ScratchFolder;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;

/**
 * A ready-made {@code model.onnx} of any architecture, as exported by Hugging Face Optimum or torch.onnx, with its {@code
 * config.json} and {@code tokenizer.json} beside it or one folder up.
 *
 * <p>It must have an input {@code input_ids [B, T]} and an output {@code logits [B, T, V]}, and may take {@code
 * attention_mask}, {@code position_ids}, {@code past_key_values.*} and {@code use_cache_branch}. It may only use
 * operators of ONNX and ONNX Runtime, and none that mix the rows of a batch.
 */
public final class OnnxCausalLm implements CausalLm {
    /** Version to increment whenever the bytes that {@link OnnxWeights#write} makes of a model change. */
    private static final int LAYOUT_VERSION = 1;

    private final Path file;
    private final ReadyMadeGraph graph;
    private final OnnxWeights weights;
    private final ModelFolder folder;
    private final int vocabSize;
    private final int maxPositionEmbeddings;
    private String fingerprint;

    private OnnxCausalLm(Path file, ReadyMadeGraph graph, OnnxWeights weights) {
        this.file = file;
        this.graph = graph;
        this.weights = weights;
        this.folder = new ModelFolder(file);
        folder.requireCausalLm();
        this.vocabSize = folder.vocabSize(graph.vocabSize());
        this.maxPositionEmbeddings = folder.maxPositionEmbeddings();
    }

    /** Returns the graph's file, if the path is one, or a folder with one and no safetensors weights. */
    public static Optional<Path> find(Path path) {
        if (!Files.isDirectory(path)) {
            return Optional.of(path).filter(p -> p.toString().endsWith(".onnx"));
        }
        try (Stream<Path> files = Files.list(path)) {
            if (files.anyMatch(file -> file.toString().endsWith(".safetensors"))) {
                return Optional.empty();
            }
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(path, e);
        }
        return ModelFolder.graph(path);
    }

    /**
     * Opens a graph.
     *
     * @throws org.potstill.errors.UserException if the file is damaged or is not a causal language model
     */
    public static OnnxCausalLm open(Path file) {
        OnnxWeights weights = new OnnxWeights(file);
        try (BoundedFile bytes = BoundedFile.open(file)) {
            return new OnnxCausalLm(file, new ReadyMadeGraph(file, OnnxModelFile.read(bytes), weights), weights);
        }
    }

    @Override
    public int vocabSize() {
        return vocabSize;
    }

    @Override
    public int maxPositionEmbeddings() {
        return maxPositionEmbeddings;
    }

    /** Counts weights as stored: duplicates in the export count twice, packed ones count packed. */
    @Override
    public long parameters() {
        return weights.parameters();
    }

    @Override
    public long storedBytes() {
        return weights.bytes();
    }

    @Override
    public TokenizerDefinition tokenizer() {
        return folder.tokenizer(vocabSize);
    }

    /** Covers the graph's file and then, by name, the files with its weights. */
    @Override
    public synchronized String fingerprint() {
        if (fingerprint == null) {
            MessageDigest sha = Sha256.digest();
            digest(sha, file, "");
            weights.fileNames().forEach(name -> digest(sha, weights.file(name), name));
            fingerprint = HexFormat.of().formatHex(sha.digest());
        }
        return fingerprint;
    }

    @Override
    public void requirePrecision(Precision precision) {
        if (precision != Precision.FP32) {
            throw CheckpointErrors.precisionOfReadyMade(file, precision);
        }
    }

    @Override
    public OnnxModel onnx(LlamaGraph.Ending ending, Precision precision, Calibration calibration, Path scratch) {
        requirePrecision(precision);
        return new OnnxModel(graph.edited(ending, vocabSize), materialize(scratch));
    }

    @Override
    public OnnxModel cached(Path scratch) {
        return new OnnxModel(graph.cached(), materialize(scratch));
    }

    private Path materialize(Path scratch) {
        String name = "weights-onnx-v" + LAYOUT_VERSION + "-" + fingerprint();
        return new ScratchFolder(scratch, name, ExternalWeights.FILE_NAME, weights.bytes()).materialize(weights::write);
    }

    /** Does nothing: files are only open while they are read. */
    @Override
    public void close() {
    }

    private static void digest(MessageDigest sha, Path path, String name) {
        try (BoundedFile file = BoundedFile.open(path)) {
            sha.update((name + "\n" + file.size() + "\n").getBytes(StandardCharsets.UTF_8));
            file.digest(sha);
        }
    }
}
