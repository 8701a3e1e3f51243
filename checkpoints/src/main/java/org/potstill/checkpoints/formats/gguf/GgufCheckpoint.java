// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.ElementType;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.io.TensorReader;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.StoredForm;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;

/** A Llama-family model in a GGUF file. Opening checks that every tensor is present with the right shape. */
public final class GgufCheckpoint implements Checkpoint {
    private final Path path;
    private final GgufParts parts;
    private final CausalLmConfig config;
    private final Map<String, Object> metadata;
    private final StoredForm form;
    /** Stored tensors by Hugging Face name, see {@link StoredForm}. */
    private final Map<String, GgufHeader.Tensor> tensors;
    private String fingerprint;

    private GgufCheckpoint(Path path, GgufParts parts, CausalLmConfig config) {
        this.path = path;
        this.parts = parts;
        this.config = config;
        this.metadata = parts.header().metadata();
        // With few tensors, a huge layer count must not make us build names for missing layers.
        if (parts.header().tensors().size() < LlamaTensors.least(config)) {
            throw CheckpointErrors.tooFewTensors(path, parts.header().tensors().size(), config.numHiddenLayers());
        }
        this.form = StoredForm.gguf(config, !parts.header().tensors().containsKey(GgmlNames.FIRST_EXPERT));
        this.tensors = byHuggingFaceName(path, parts.header(), config, form.shapes());
    }

    public static GgufCheckpoint open(Path path) {
        GgufParts parts = GgufParts.of(path);
        try {
            return new GgufCheckpoint(path, parts, GgufConfig.read(path, parts.header()));
        } catch (RuntimeException e) {
            parts.close();
            throw e;
        }
    }

    private static Map<String, GgufHeader.Tensor> byHuggingFaceName(Path path, GgufHeader header, CausalLmConfig config,
            Map<String, long[]> expected) {
        GgmlNames names = new GgmlNames(config);
        Map<String, GgufHeader.Tensor> tensors = new LinkedHashMap<>();
        for (GgufHeader.Tensor tensor : header.tensors().values()) {
            if (GgufRope.isDivisors(tensor.name(), config)) {
                // Already part of the configuration.
                continue;
            }
            String name = names.huggingFace(tensor.name());
            long[] shape = name == null ? null : expected.get(name);
            if (shape == null) {
                throw UnsupportedErrors.tensor(path, tensor.name(), config.numHiddenLayers());
            }
            if (!Arrays.equals(shape, tensor.shape())) {
                throw CheckpointErrors.wrongShape(path, tensor.name(), tensor.shape(), shape);
            }
            tensors.put(name, tensor);
        }
        for (String name : expected.keySet()) {
            if (!tensors.containsKey(name)) {
                throw CheckpointErrors.missingTensor(path, names.ggml(name));
            }
        }
        return tensors;
    }

    @Override
    public CausalLmConfig config() {
        return config;
    }

    @Override
    public Map<String, long[]> tensors() {
        return form.tensors();
    }

    @Override
    public void readRows(String name, long firstRow, long rowCount, FloatBuffer target) {
        if (!form.has(name)) {
            throw CheckpointErrors.unknownTensor(path, name);
        }
        form.decode(this::readUninterleaved, name, firstRow, rowCount, target);
    }

    private void readUninterleaved(String name, long firstRow, long rowCount, FloatBuffer target) {
        GgufHeader.Tensor tensor = tensors.get(name);
        if (firstRow < 0 || rowCount < 0 || firstRow > tensor.rows() - rowCount) {
            throw new IllegalArgumentException(name + " has " + tensor.rows() + " rows");
        }
        if (!RotaryRows.isInterleaved(config.variant().family(), name)) {
            readStored(tensor, firstRow, rowCount, target);
        } else if (tensor.shape().length == 1) {
            FloatBuffer stored = FloatBuffer.allocate((int) tensor.columns());
            readStored(tensor, 0, rowCount, stored);
            for (int i = 0; i < stored.position(); i++) {
                target.put(stored.get((int) RotaryRows.stored(i, config.headDim())));
            }
        } else {
            for (long row = firstRow; row < firstRow + rowCount; row++) {
                readStored(tensor, RotaryRows.stored(row, config.headDim()), 1, target);
            }
        }
    }

    private void readStored(GgufHeader.Tensor tensor, long firstRow, long rowCount, FloatBuffer target) {
        TensorReader.read(tensor.file(), tensor.type(), tensor.offset() + firstRow * tensor.rowBytes(),
                rowCount * tensor.columns(), target);
    }

    @Override
    public long storedBytes() {
        return parts.files().stream().mapToLong(BoundedFile::size).sum();
    }

    @Override
    public String storedPrecision() {
        Map<ElementType, Long> elements = new EnumMap<>(ElementType.class);
        tensors.values().forEach(tensor ->
                elements.merge(tensor.type(), Arrays.stream(tensor.shape()).reduce(1, (a, b) -> a * b), Long::sum));
        return ElementType.mostFrequent(elements);
    }

    @Override
    public TokenizerDefinition tokenizer() {
        return GgufTokenizer.read(path, metadata, config.vocabSize());
    }

    @Override
    public synchronized String fingerprint() {
        if (fingerprint == null) {
            fingerprint = Sha256.of(parts.files());
        }
        return fingerprint;
    }

    @Override
    public void close() {
        parts.close();
    }
}
