package org.potstill.checkpoints;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A Llama-family model in a Hugging Face folder: {@code config.json}, {@code tokenizer.json}, and
 * {@code model.safetensors} or the shards that {@code model.safetensors.index.json} names. Opening it checks that every
 * tensor is there exactly once, where the index says, and has its right shape.
 */
final class HuggingFaceCheckpoint implements Checkpoint {
    private static final String CONFIG = "config.json";
    private static final String WEIGHTS = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    static final int MAX_CONFIG_BYTES = 1 << 20;
    private static final int MAX_INDEX_BYTES = 1 << 26;
    /** Each is an open file. */
    private static final int MAX_SHARDS = 1000;

    private final Path folder;
    private final String configJson;
    private final CausalLmConfig config;
    /** By file name, which orders them for the fingerprint. */
    private final SortedMap<String, SafetensorsFile> shards;
    private final Map<String, SafetensorsFile> tensors;
    private String fingerprint;

    private HuggingFaceCheckpoint(Path folder, String configJson, CausalLmConfig config,
            SortedMap<String, SafetensorsFile> shards, Map<String, SafetensorsFile> tensors) {
        this.folder = folder;
        this.configJson = configJson;
        this.config = config;
        this.shards = shards;
        this.tensors = tensors;
    }

    static HuggingFaceCheckpoint open(Path folder) {
        String json = text(folder.resolve(CONFIG), MAX_CONFIG_BYTES);
        CausalLmConfig config = CausalLmConfig.fromJson(json, folder.resolve(CONFIG).toString());
        SortedMap<String, SafetensorsFile> shards = new TreeMap<>();
        try {
            Map<String, String> index = openShards(folder, shards);
            Map<String, SafetensorsFile> found = index(folder, shards, index);
            config = config.withVocabSize(rows(found, config));
            if (found.containsKey(LlamaTensors.HEAD)) {
                // As transformers has it: a head in the file counts, whatever the configuration says of tying.
                config = config.untied();
            }
            return new HuggingFaceCheckpoint(folder, json, config, shards, checked(folder, config, found));
        } catch (RuntimeException e) {
            shards.values().forEach(SafetensorsFile::close);
            throw e;
        }
    }

    /** The content of a small file of a folder; nothing is allocated for one that is larger. */
    static String text(Path path, int maxBytes) {
        try (BoundedFile file = BoundedFile.open(path)) {
            if (file.size() > maxBytes) {
                throw CheckpointErrors.tooLarge(path, file.size(), maxBytes);
            }
            return new String(file.read(0, (int) file.size(), path.toString()).array(), StandardCharsets.UTF_8);
        }
    }

    /** Opens what there is into {@code shards}; tensor to shard as the index says, empty where one file has them all. */
    private static Map<String, String> openShards(Path folder, SortedMap<String, SafetensorsFile> shards) {
        if (Files.isRegularFile(folder.resolve(WEIGHTS))) {
            shards.put(WEIGHTS, SafetensorsFile.open(folder.resolve(WEIGHTS)));
            return Map.of();
        }
        Path file = folder.resolve(INDEX);
        if (!Files.isRegularFile(file)) {
            throw CheckpointErrors.noCheckpoint(folder);
        }
        Map<String, String> index = new LinkedHashMap<>();
        try {
            Map<String, Object> json = Json.object(text(file, MAX_INDEX_BYTES));
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
                shards.put(shard, SafetensorsFile.open(folder.resolve(shard)));
            }
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.malformed(file, "safetensors index", e.getMessage());
        }
        return index;
    }

    /** Where each tensor is. */
    private static Map<String, SafetensorsFile> index(Path folder, SortedMap<String, SafetensorsFile> shards,
            Map<String, String> index) {
        Map<String, SafetensorsFile> found = new LinkedHashMap<>();
        shards.forEach((fileName, shard) -> {
            for (String name : shard.names()) {
                SafetensorsFile other = found.put(name, shard);
                if (other != null) {
                    throw CheckpointErrors.tensorTwice(shard.path(), name, other.path());
                }
                String said = index.getOrDefault(name, fileName);
                if (!said.equals(fileName)) {
                    throw CheckpointErrors.tensorElsewhere(folder.resolve(INDEX), name, fileName);
                }
            }
        });
        return found;
    }

    /** The rows of the embedding table: it counts, whatever vocab_size says, since it may have been padded after that was written. */
    private static int rows(Map<String, SafetensorsFile> found, CausalLmConfig config) {
        SafetensorsFile shard = found.get(LlamaTensors.EMBEDDING);
        long[] shape = shard == null ? new long[0] : shard.shape(LlamaTensors.EMBEDDING);
        return shape.length == 2 && shape[1] == config.hiddenSize() && shape[0] <= Integer.MAX_VALUE ? (int) shape[0] : config.vocabSize();
    }

    /** The tensors that the model needs, in forward order. */
    private static Map<String, SafetensorsFile> checked(Path folder, CausalLmConfig config,
            Map<String, SafetensorsFile> found) {
        // A huge layer count with few tensors must not make us build names for layers that are not there.
        if (found.size() < 9L * config.numHiddenLayers() + 2) {
            throw CheckpointErrors.tooFewTensors(folder, found.size(), config.numHiddenLayers());
        }
        Map<String, long[]> expected = LlamaTensors.shapes(config);
        found.forEach((name, shard) -> {
            if (!expected.containsKey(name) && !isBuffer(name)) {
                throw CheckpointErrors.unexpectedTensor(shard.path(), name);
            }
        });
        Map<String, SafetensorsFile> tensors = new LinkedHashMap<>();
        expected.forEach((name, shape) -> {
            SafetensorsFile shard = found.get(name);
            if (shard == null) {
                throw CheckpointErrors.missingTensor(folder, name);
            }
            if (!Arrays.equals(shard.shape(name), shape)) {
                throw CheckpointErrors.wrongShape(shard.path(), name, shard.shape(name), shape);
            }
            tensors.put(name, shard);
        });
        return tensors;
    }

    /** What older versions of transformers saved although the configuration implies it. */
    private static boolean isBuffer(String name) {
        return name.endsWith(".rotary_emb.inv_freq");
    }

    @Override
    public CausalLmConfig config() {
        return config;
    }

    @Override
    public Map<String, long[]> tensors() {
        return Collections.unmodifiableMap(LlamaTensors.shapes(config));
    }

    @Override
    public void readRows(String name, long firstRow, long rowCount, FloatBuffer target) {
        SafetensorsFile shard = tensors.get(name);
        if (shard == null) {
            throw CheckpointErrors.unknownTensor(folder, name);
        }
        shard.readRows(name, firstRow, rowCount, target);
    }

    @Override
    public long storedBytes() {
        return shards.values().stream().mapToLong(SafetensorsFile::size).sum();
    }

    @Override
    public String storedPrecision() {
        Map<ElementType, Long> elements = new EnumMap<>(ElementType.class);
        tensors.forEach((name, shard) ->
                elements.merge(shard.type(name), Arrays.stream(shard.shape(name)).reduce(1, (a, b) -> a * b), Long::sum));
        return ElementType.mostFrequent(elements);
    }

    @Override
    public TokenizerDefinition tokenizer() {
        return HuggingFaceTokenizer.read(folder, configJson, config.vocabSize());
    }

    /** SHA-256 over the weights' files in the order of their names and {@code config.json}: name, length, content of each. */
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
