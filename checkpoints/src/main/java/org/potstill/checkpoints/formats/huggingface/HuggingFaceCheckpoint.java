// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.huggingface;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.ElementType;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.StoredForm;
import org.potstill.checkpoints.model.TensorNames;
import org.potstill.checkpoints.tokenizer.HuggingFaceTokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;

/**
 * A Llama-family model in a Hugging Face folder: {@code config.json}, {@code tokenizer.json}, and {@code
 * model.safetensors} or the shards that {@code model.safetensors.index.json} names. Opening checks that every tensor
 * occurs exactly once, where the index says, with the right shape.
 */
public final class HuggingFaceCheckpoint implements Checkpoint {
    private static final String CONFIG = "config.json";
    static final String WEIGHTS = "model.safetensors";
    static final String ADAPTER = "adapter_config.json";
    static final String INDEX = "model.safetensors.index.json";
    static final int MAX_CONFIG_BYTES = 1 << 20;
    private static final int MAX_INDEX_BYTES = 1 << 26;
    /** Most shards; each is an open file. */
    private static final int MAX_SHARDS = 1000;

    /** A tensor under the name that its file has for it. */
    private record Stored(SafetensorsFile shard, String name) {
        long[] shape() {
            return shard.shape(name);
        }
    }

    private final Path folder;
    private final String configJson;
    private final CausalLmConfig config;
    /** Shards by file name, the order of the fingerprint. */
    private final SortedMap<String, SafetensorsFile> shards;
    private final StoredForm form;
    /** Stored tensors by their names in transformers, see {@link StoredForm}. */
    private final Map<String, Stored> tensors;
    private String fingerprint;

    private HuggingFaceCheckpoint(Path folder, String configJson, CausalLmConfig config,
            SortedMap<String, SafetensorsFile> shards, Map<String, Stored> found) {
        this.folder = folder;
        this.configJson = configJson;
        this.config = config;
        this.shards = shards;
        // With few tensors, a huge layer count must not make us build names for missing layers.
        if (found.size() < LlamaTensors.least(config)) {
            throw CheckpointErrors.tooFewTensors(folder, found.size(), config.numHiddenLayers());
        }
        this.form = StoredForm.huggingFace(config, LlamaTensors.shapes(config));
        this.tensors = checked(folder, config, found, form.shapes());
    }

    public static HuggingFaceCheckpoint open(Path folder) {
        if (!BoundedFile.exists(folder.resolve(CONFIG))) {
            throw FolderDiagnosis.of(folder, CONFIG);
        }
        if (BoundedFile.exists(folder.resolve(ADAPTER))) {
            throw FolderDiagnosis.of(folder, WEIGHTS);
        }
        String json = BoundedFile.text(folder.resolve(CONFIG), MAX_CONFIG_BYTES);
        CausalLmConfig config = config(folder, json);
        SortedMap<String, SafetensorsFile> shards = new TreeMap<>();
        try {
            Map<String, String> index = openShards(folder, shards);
            Map<String, Stored> found = index(folder, shards, index);
            requireVocabSize(folder, found, config);
            if (found.containsKey(LlamaTensors.HEAD)) {
                // As in transformers, a head in the file takes precedence over the tying in the configuration.
                config = config.untied();
            }
            return new HuggingFaceCheckpoint(folder, json, config, shards, found);
        } catch (RuntimeException e) {
            shards.values().forEach(SafetensorsFile::close);
            throw e;
        }
    }

    /** Reads the configuration; its error names a readable file if the folder has the model in other formats too. */
    private static CausalLmConfig config(Path folder, String json) {
        try {
            return CausalLmConfig.fromJson(json, folder.resolve(CONFIG).toString());
        } catch (UserException e) {
            Optional<Path> onnx = e.remedy().contains(UnsupportedErrors.ONNX) ? ModelFolder.graph(folder) : Optional.empty();
            throw onnx.map(file -> UnsupportedErrors.readableAsOnnx(e, file)).orElse(e);
        }
    }

    /** Opens the files of weights into {@code shards}; returns tensor to shard as in the index, empty for a single file. */
    private static Map<String, String> openShards(Path folder, SortedMap<String, SafetensorsFile> shards) {
        if (BoundedFile.exists(folder.resolve(WEIGHTS))) {
            shards.put(WEIGHTS, SafetensorsFile.open(folder.resolve(WEIGHTS)));
            return Map.of();
        }
        Path file = folder.resolve(INDEX);
        if (!BoundedFile.exists(file)) {
            throw FolderDiagnosis.of(folder, WEIGHTS);
        }
        Map<String, String> index = new LinkedHashMap<>();
        try {
            Map<String, Object> json = Json.object(BoundedFile.text(file, MAX_INDEX_BYTES));
            for (Map.Entry<String, Object> entry : Json.asObject(json.get("weight_map")).entrySet()) {
                String shard = String.valueOf(entry.getValue());
                index.put(entry.getKey(), shard);
                if (shards.containsKey(shard)) {
                    continue;
                }
                if (!shard.matches("[A-Za-z0-9_][A-Za-z0-9._-]{0,250}\\.safetensors")) {
                    throw CheckpointErrors.badShardName(file, shard);
                }
                if (shards.size() == MAX_SHARDS) {
                    throw new Json.MalformedException("it names more than " + MAX_SHARDS + " files");
                }
                if (!BoundedFile.exists(folder.resolve(shard))) {
                    throw CheckpointErrors.missingBeside(folder, shard, INDEX + " names it");
                }
                shards.put(shard, SafetensorsFile.open(folder.resolve(shard)));
            }
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.malformed(file, "safetensors index", e.getMessage());
        }
        return index;
    }

    /** Finds each tensor, by its name in transformers. */
    private static Map<String, Stored> index(Path folder, SortedMap<String, SafetensorsFile> shards, Map<String, String> index) {
        Map<String, Stored> found = new LinkedHashMap<>();
        TensorNames names = new TensorNames(shards.values().stream().flatMap(shard -> shard.names().stream()).collect(Collectors.toSet()));
        shards.forEach((fileName, shard) -> {
            for (String name : shard.names()) {
                Stored other = found.put(names.canonical(name), new Stored(shard, name));
                if (other != null) {
                    throw CheckpointErrors.tensorTwice(shard.path(), name, other.shard.path());
                }
                String said = index.getOrDefault(name, fileName);
                if (!said.equals(fileName)) {
                    throw CheckpointErrors.tensorElsewhere(folder.resolve(INDEX), name, fileName);
                }
            }
        });
        return found;
    }

    /** Rejects an embedding table of another length, as transformers does: this may be the configuration of other weights. */
    private static void requireVocabSize(Path folder, Map<String, Stored> found, CausalLmConfig config) {
        Stored table = found.get(LlamaTensors.EMBEDDING);
        long[] shape = table == null ? new long[0] : table.shape();
        if (shape.length == 2 && shape[1] == config.hiddenSize() && shape[0] != config.vocabSize()) {
            throw CheckpointErrors.wrongVocabSize(folder, config.vocabSize(), shape[0]);
        }
    }

    /** Returns the tensors that the model needs, in forward order. */
    private static Map<String, Stored> checked(Path folder, CausalLmConfig config, Map<String, Stored> found, Map<String, long[]> expected) {
        boolean senses = found.keySet().stream().anyMatch(TensorNames::isOfOtherSenses);
        found.forEach((name, stored) -> {
            boolean passedBy = TensorNames.isBuffer(name, stored.shard.typeName(stored.name)) || senses && TensorNames.isOfOtherSenses(name);
            if (!expected.containsKey(name) && !passedBy) {
                throw UnsupportedErrors.tensor(stored.shard.path(), name, config.numHiddenLayers());
            }
        });
        if (!found.containsKey(LlamaTensors.HEAD) && expected.containsKey(LlamaTensors.HEAD)) {
            throw UnsupportedErrors.noHead(folder);
        }
        Map<String, Stored> tensors = new LinkedHashMap<>();
        expected.forEach((name, shape) -> {
            Stored stored = found.get(name);
            if (stored == null) {
                throw CheckpointErrors.missingTensor(folder, name);
            }
            stored.shard.type(stored.name);
            if (!Arrays.equals(stored.shape(), shape)) {
                throw CheckpointErrors.wrongShape(stored.shard.path(), name, stored.shape(), shape);
            }
            tensors.put(name, stored);
        });
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
            throw CheckpointErrors.unknownTensor(folder, name);
        }
        form.decode((of, row, count, rows) -> {
            Stored stored = tensors.get(of);
            stored.shard.readRows(stored.name, row, count, rows);
        }, name, firstRow, rowCount, target);
    }

    /** Says that code beside the weights is not run; by default, transformers does not run it for these families either. */
    @Override
    public String warning() {
        try {
            return Json.object(configJson).get("auto_map") == null ? "" : "the model in " + folder + " comes with Python code of its own (auto_map in "
                    + CONFIG + "), which is not run: it is computed as transformers' " + config.variant().family().name().toLowerCase(Locale.ROOT);
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badConfig(folder.resolve(CONFIG).toString(), e.getMessage());
        }
    }

    @Override
    public long storedBytes() {
        return shards.values().stream().mapToLong(SafetensorsFile::size).sum();
    }

    @Override
    public String storedPrecision() {
        Map<ElementType, Long> elements = new EnumMap<>(ElementType.class);
        tensors.values().forEach(stored -> elements.merge(stored.shard.type(stored.name),
                Arrays.stream(stored.shape()).reduce(1, (a, b) -> a * b), Long::sum));
        return ElementType.mostFrequent(elements);
    }

    @Override
    public TokenizerDefinition tokenizer() {
        return HuggingFaceTokenizer.read(folder, configJson, config.vocabSize());
    }

    /**
     * Returns the SHA-256 of the files of weights, in the order of their names, and {@code config.json}: name, length and
     * content of each.
     */
    @Override
    public synchronized String fingerprint() {
        if (fingerprint == null) {
            MessageDigest sha = Sha256.digest();
            shards.forEach((name, shard) -> {
                announce(sha, name, shard.size());
                shard.digest(sha);
            });
            byte[] json = configJson.getBytes(StandardCharsets.UTF_8);
            announce(sha, CONFIG, json.length);
            fingerprint = HexFormat.of().formatHex(sha.digest(json));
        }
        return fingerprint;
    }

    private static void announce(MessageDigest sha, String name, long size) {
        sha.update(name.getBytes(StandardCharsets.UTF_8));
        sha.update(ByteBuffer.allocate(9).put((byte) 0).putLong(size).array());
    }

    @Override
    public void close() {
        shards.values().forEach(SafetensorsFile::close);
    }
}
