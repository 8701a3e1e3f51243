// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.huggingface.ModelFolder;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.teacher.scoring.TeacherErrors;

/**
 * A SameDiff or Deeplearning4j file, described by the {@code config.json} and {@code tokenizer.json} beside it or one
 * folder up.
 */
public final class Nd4jFile implements CausalLm {
    private final Path file;
    private final ModelFolder folder;
    private final int vocabSize;

    private Nd4jFile(Path file) {
        this.file = file;
        this.folder = new ModelFolder(file);
        this.vocabSize = folder.vocabSize(-1);
    }

    public static Optional<CausalLm> find(Path path) {
        return Dl4jArchive.isOne(path) || SameDiffFile.isOne(path) ? Optional.of(new Nd4jFile(path)) : Optional.empty();
    }

    public Path file() {
        return file;
    }

    @Override
    public int vocabSize() {
        return vocabSize;
    }

    @Override
    public int maxPositionEmbeddings() {
        return folder.maxPositionEmbeddings();
    }

    /** Unknown without loading the model. */
    @Override
    public long parameters() {
        return 0;
    }

    @Override
    public long storedBytes() {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw TeacherErrors.badModelFile(file, String.valueOf(e.getMessage()));
        }
    }

    @Override
    public TokenizerDefinition tokenizer() {
        return folder.tokenizer(vocabSize);
    }

    @Override
    public String fingerprint() {
        return Sha256.of(file);
    }

    @Override
    public OnnxModel onnx(LlamaGraph.Ending ending, Precision precision, Calibration calibration, Path scratch) {
        throw TeacherErrors.needsNd4j(file);
    }

    @Override
    public OnnxModel cached(Path scratch) {
        throw TeacherErrors.cannotGenerate(file);
    }

    @Override
    public void close() {
    }
}
