package org.potstill.checkpoints;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A ready-made {@code model.onnx} of any architecture, as Hugging Face Optimum or torch.onnx export it, with its
 * {@code config.json} and {@code tokenizer.json} beside it or one folder up.
 *
 * <p>What it has to have: an input {@code input_ids [B, T]} and an output {@code logits [B, T, V]}; it may ask for
 * {@code attention_mask}, {@code position_ids}, {@code past_key_values.*} and {@code use_cache_branch}. No operators but
 * those of ONNX and ONNX Runtime, and none that look at a whole batch at once.
 */
public final class OnnxCausalLm implements CausalLm {
    /** To be raised whenever the bytes that {@link OnnxWeights#write} makes of the same model change. */
    private static final int LAYOUT_VERSION = 1;
    /** Names of whole graphs in full precision, as Optimum has given them over the years. */
    private static final List<String> NAMES = List.of("model.onnx", "decoder_model_merged.onnx", "decoder_model.onnx");
    private static final List<String> PLACES = List.of("", "onnx");

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

    /** The graph's file, if the path is one or is a folder with one and without weights in safetensors. */
    static Optional<Path> find(Path path) {
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
        return within(path);
    }

    /**
     * A folder's graph, in it or in its {@code onnx} folder: one of the usual names, or the only one that there is.
     *
     * @throws org.potstill.errors.UserException if there are several others, such as of several precisions
     */
    static Optional<Path> within(Path folder) {
        List<Path> usual = PLACES.stream().flatMap(place -> NAMES.stream().map(name -> folder.resolve(place).resolve(name)))
                .filter(Files::exists).toList();
        if (!usual.isEmpty()) {
            return Optional.of(usual.get(0));
        }
        List<Path> others = PLACES.stream().map(folder::resolve).filter(Files::isDirectory).flatMap(OnnxCausalLm::graphs).toList();
        if (others.size() > 1) {
            throw UnsupportedErrors.lookInside(folder, others);
        }
        return others.stream().findFirst();
    }

    private static Stream<Path> graphs(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".onnx")).sorted().toList().stream();
        } catch (IOException e) {
            throw CheckpointErrors.unreadable(folder, e);
        }
    }

    /** @throws org.potstill.errors.UserException if the file is damaged or is not a causal language model */
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

    /** As many as are stored: those that the export has twice count twice, those that it packs count packed. */
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

    /** Over the graph's file and then, by name, the files that it says its weights lie in. */
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

    /** Files are opened when they are read. */
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
