// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.huggingface.ModelFolder;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;

/**
 * A model that a server runs, described by its tokenizer and {@code config.json} on disk; what only the server knows is asked for
 * when needed.
 */
public final class ServerModel implements CausalLm {
    private static final int MAX_LISTING_BYTES = 1 << 20;
    /** Names of models to print. */
    private static final int MAX_NAMES = 20;
    /** Tokens of the server's context that a sequence cannot use: vLLM generates at least one. */
    private static final int GENERATED = 1;

    private final ServerOptions options;
    private final ServerClient client;
    private final int vocabSize;
    private final int maxPositionEmbeddings;
    private final TokenizerDefinition tokenizer;
    private Listed listed;

    /**
     * A model in the server's list.
     *
     * @param longest tokens of its context; 0 if unknown
     * @param owner   kind of the server
     */
    record Listed(String id, int longest, String owner) {
    }

    private ServerModel(ServerOptions options, int vocabSize, int maxPositionEmbeddings, TokenizerDefinition tokenizer) {
        this.options = options;
        this.client = new ServerClient(options);
        this.vocabSize = vocabSize;
        this.maxPositionEmbeddings = maxPositionEmbeddings;
        this.tokenizer = tokenizer;
    }

    /**
     * Reads what describes the model; does not connect to the server.
     *
     * @param description a folder with {@code config.json} and {@code tokenizer.json}, or a model file
     */
    public static ServerModel open(Path description, ServerOptions options) {
        if (Files.isDirectory(description)) {
            ModelFolder folder = new ModelFolder(description.resolve("tokenizer.json"));
            int vocabSize = folder.vocabSize(-1);
            return new ServerModel(options, vocabSize, folder.maxPositionEmbeddings(), folder.tokenizer(vocabSize));
        }
        try (CausalLm model = Checkpoints.model(description)) {
            return new ServerModel(options, model.vocabSize(), model.maxPositionEmbeddings(), model.tokenizer());
        }
    }

    ServerOptions options() {
        return options;
    }

    ServerClient client() {
        return client;
    }

    /** Returns the server's name for the model. */
    public String id() {
        return options.model().isEmpty() ? listed().id() : options.model();
    }

    /** Returns the server's entry for the model, asked for once. */
    synchronized Listed listed() {
        if (listed == null) {
            try {
                List<Listed> models = client.call(URI.create(options.url() + "/models"), null, MAX_LISTING_BYTES, ServerModel::models);
                List<Listed> fitting = models.stream().filter(model -> options.model().isEmpty() || options.model().equals(model.id())).toList();
                if (fitting.size() != 1) {
                    throw ServerErrors.noModel(options.url(), options.model(),
                            models.stream().limit(MAX_NAMES).map(model -> ServerMessage.printable(model.id())).toList());
                }
                listed = fitting.get(0);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while waiting for the teacher's server", e);
            }
        }
        return listed;
    }

    private static List<Listed> models(byte[] body) throws Json.MalformedException {
        Map<String, Object> json = Json.object(new String(body, StandardCharsets.UTF_8));
        if (!(json.get("data") instanceof List<?> data)) {
            throw new Json.MalformedException("its list of models has no data");
        }
        List<Listed> models = new ArrayList<>();
        for (Object entry : data) {
            Map<String, Object> model = Json.asObject(entry);
            int longest = model.get("max_model_len") instanceof Long length ? (int) Math.max(0, Math.min(length, Integer.MAX_VALUE)) : 0;
            models.add(new Listed(String.valueOf(model.get("id")), longest, String.valueOf(model.get("owned_by"))));
        }
        return models;
    }

    @Override
    public int vocabSize() {
        return vocabSize;
    }

    /** Returns the positions that fit into both the model's context and the server's. */
    @Override
    public int maxPositionEmbeddings() {
        // The last token of a sequence is sent, too, though it needs no position.
        int longest = listed().longest() - GENERATED - 1;
        return listed().longest() == 0 ? maxPositionEmbeddings : Math.max(1, Math.min(maxPositionEmbeddings, longest));
    }

    /** Unknown. */
    @Override
    public long parameters() {
        return 0;
    }

    @Override
    public long storedBytes() {
        return 0;
    }

    @Override
    public TokenizerDefinition tokenizer() {
        return tokenizer;
    }

    /** Returns the SHA-256 of the server's name for the model and of the tokenizer's fingerprint: the weights are out of sight. */
    @Override
    public String fingerprint() {
        return Sha256.of("server\n" + id() + "\n" + tokenizer.fingerprint());
    }

    @Override
    public void requirePrecision(Precision precision) {
        if (precision != Precision.FP32) {
            throw ServerErrors.noPrecision();
        }
    }

    @Override
    public OnnxModel onnx(LlamaGraph.Ending ending, Precision precision, Calibration calibration, Path scratch) {
        throw ServerErrors.noWeights("run a graph");
    }

    @Override
    public OnnxModel cached(Path scratch) {
        throw ServerErrors.noWeights("generate text");
    }

    @Override
    public void close() {
    }
}
