// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * A server on loopback that plays vLLM's and SGLang's protocols, with the log-probabilities and the answers of a real model, and fails on
 * demand.
 */
public final class ScoringServer implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A misdeed in place of a reply. */
    public interface Fault {
        /**
         * Replies, or does not.
         *
         * @param reply what the reply should be
         */
        void commit(HttpExchange exchange, ObjectNode reply) throws IOException;
    }

    private final Teacher teacher;
    private final String owner;
    private final int longest;
    private final ExecutorService threads = Executors.newFixedThreadPool(4);
    private final Queue<Fault> faults = new ConcurrentLinkedQueue<>();
    /** The token ids of each request for scores or an answer, and its time in nanoseconds. */
    private final Queue<Map.Entry<List<Integer>, Long>> requests = new ConcurrentLinkedQueue<>();
    private final Queue<JsonNode> bodies = new ConcurrentLinkedQueue<>();
    private final Queue<String> keys = new ConcurrentLinkedQueue<>();
    private HttpServer server;
    private int port;

    /**
     * Starts a server.
     *
     * @param owner   what it calls itself: vllm or sglang
     * @param longest tokens of its context
     */
    public ScoringServer(Path model, Path scratch, String owner, int longest) {
        this.teacher = OnnxTeacher.open(model, new TeacherOptions(TeacherOptions.Device.CPU, 1, scratch));
        this.owner = owner;
        this.longest = longest;
        start();
    }

    private void start() {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
            port = server.getAddress().getPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.createContext("/v1/models", exchange -> {
            keys.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
            send(exchange, 200, JSON.createObjectNode().set("data", JSON.createArrayNode().add(JSON.createObjectNode()
                    .put("id", "tiny").put("owned_by", owner).put("max_model_len", longest))));
        });
        server.createContext("/v1/completions", exchange -> reply(exchange, false));
        server.createContext("/generate", exchange -> reply(exchange, true));
        server.setExecutor(threads);
        server.start();
    }

    /** Writes what a client needs to know of a model: a folder with its tokenizer and {@code config.json}. */
    public static Path describe(Path model, Path folder) throws IOException {
        Files.createDirectories(folder);
        try (Checkpoint described = Checkpoints.open(model)) {
            Files.writeString(folder.resolve("tokenizer.json"), described.tokenizer().json());
            Files.writeString(folder.resolve("tokenizer_config.json"), described.tokenizer().configJson());
            Files.writeString(folder.resolve("config.json"), "{\"vocab_size\": " + described.vocabSize() + ", \"max_position_embeddings\": "
                    + described.maxPositionEmbeddings() + "}");
            if (!described.tokenizer().chatTemplate().isEmpty()) {
                Files.writeString(folder.resolve("chat_template.jinja"), described.tokenizer().chatTemplate());
            }
        }
        return folder;
    }

    public URI url() {
        return URI.create("http://127.0.0.1:" + port + "/v1");
    }

    /** Has the next requests for scores or answers, one each, go wrong. */
    public void next(Fault... misdeeds) {
        faults.addAll(List.of(misdeeds));
    }

    /** Has the requests from now on go well. */
    public void forgive() {
        faults.clear();
    }

    /** Dies, and comes back when done with something. */
    public void dieDuring(Runnable something) {
        server.stop(0);
        something.run();
        start();
    }

    public List<Map.Entry<List<Integer>, Long>> requests() {
        return List.copyOf(requests);
    }

    /** Returns the requests themselves. */
    public List<JsonNode> bodies() {
        return List.copyOf(bodies);
    }

    public List<String> keys() {
        return List.copyOf(keys);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
        teacher.close();
    }

    private void reply(HttpExchange exchange, boolean sglang) throws IOException {
        keys.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
        JsonNode request = JSON.readTree(exchange.getRequestBody());
        int[] ids = JSON.convertValue(sglang ? request.path("input_ids") : request.path("prompt").path(0), int[].class);
        Fault fault;
        synchronized (this) {
            requests.add(Map.entry(IntStream.of(ids).boxed().toList(), System.nanoTime()));
            bodies.add(request);
            fault = faults.poll();
        }
        JsonNode k = request.path(sglang ? "top_logprobs_num" : "prompt_logprobs");
        ObjectNode reply = k.isMissingNode() ? answer(ids, request, sglang) : sglang ? sglang(ids, k.asInt()) : vllm(ids, k.asInt());
        if (fault != null) {
            fault.commit(exchange, reply);
        } else {
            send(exchange, 200, reply);
        }
    }

    public static void send(HttpExchange exchange, int status, JsonNode reply) throws IOException {
        byte[] body = reply.toString().getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private ObjectNode vllm(int[] ids, int k) {
        double[][] all = logProbabilities(ids);
        ObjectNode choice = JSON.createObjectNode().put("index", 0).put("text", " x").putNull("logprobs");
        ArrayNode positions = choice.putArray("prompt_logprobs").addNull();
        for (int t = 0; t + 1 < ids.length; t++) {
            ObjectNode position = positions.addObject();
            int rank = 1;
            for (int id : best(all[t], k)) {
                position.putObject(String.valueOf(id)).put("logprob", all[t][id]).put("rank", rank++).put("decoded_token", "\"}" + id);
            }
            position.putObject(String.valueOf(ids[t + 1])).put("logprob", all[t][ids[t + 1]]).put("rank", rank).putNull("decoded_token");
        }
        choice.set("prompt_token_ids", JSON.valueToTree(ids));
        ObjectNode reply = JSON.createObjectNode().put("id", "cmpl-1").put("model", "tiny");
        reply.putArray("choices").add(choice);
        reply.putObject("usage").put("prompt_tokens", ids.length).putNull("prompt_tokens_details");
        return reply;
    }

    private ObjectNode sglang(int[] ids, int k) {
        double[][] all = logProbabilities(ids);
        ObjectNode reply = JSON.createObjectNode().put("text", " x");
        ObjectNode meta = reply.putObject("meta_info").put("prompt_tokens", ids.length);
        ArrayNode actual = meta.putArray("input_token_logprobs");
        ArrayNode top = meta.putArray("input_top_logprobs").addNull();
        actual.addArray().addNull().add(ids[0]).addNull();
        for (int t = 0; t + 1 < ids.length; t++) {
            actual.addArray().add(all[t][ids[t + 1]]).add(ids[t + 1]).addNull();
            ArrayNode position = top.addArray();
            for (int id : best(all[t], k)) {
                position.addArray().add(all[t][id]).add(id).addNull();
            }
        }
        return reply;
    }

    /** Writes one token after the other; the one that ends the answer is its last, as in either server. */
    private ObjectNode answer(int[] prompt, JsonNode request, boolean sglang) {
        JsonNode sampling = sglang ? request.path("sampling_params") : request;
        List<Integer> stops = IntStream.of(JSON.convertValue(sampling.path("stop_token_ids"), int[].class)).boxed().toList();
        Random random = new Random(sampling.path(sglang ? "sampling_seed" : "seed").asLong());
        int most = sampling.path(sglang ? "max_new_tokens" : "max_tokens").asInt();
        int[] ids = prompt;
        int stop = -1;
        while (stop < 0 && ids.length < prompt.length + most) {
            float[] logits = teacher.logits(ids);
            ids = Arrays.copyOf(ids, ids.length + 1);
            ids[ids.length - 1] = draw(Arrays.copyOfRange(logits, logits.length - teacher.vocabSize(), logits.length), sampling, random);
            stop = stops.contains(ids[ids.length - 1]) ? ids[ids.length - 1] : -1;
        }
        JsonNode written = JSON.valueToTree(Arrays.copyOfRange(ids, prompt.length, ids.length));
        ObjectNode reply = JSON.createObjectNode();
        if (sglang) {
            ObjectNode meta = reply.put("text", "x").<ObjectNode>set("output_ids", written).putObject("meta_info").put("prompt_tokens", prompt.length);
            meta.putObject("finish_reason").put("type", stop < 0 ? "length" : "stop").put(stop < 0 ? "length" : "matched", stop < 0 ? most : stop);
            return reply;
        }
        ObjectNode choice = reply.putArray("choices").addObject().put("index", 0).put("text", "x").putNull("logprobs");
        choice.put("finish_reason", stop < 0 ? "length" : "stop").putNull("stop_reason").putNull("prompt_logprobs");
        choice.set("prompt_token_ids", JSON.valueToTree(prompt));
        choice.set("token_ids", written);
        reply.putObject("usage").put("prompt_tokens", prompt.length).put("completion_tokens", ids.length - prompt.length);
        return reply;
    }

    /** Draws a token: temperature, then top-k, then top-p. */
    private static int draw(float[] logits, JsonNode sampling, Random random) {
        List<Integer> order = IntStream.range(0, logits.length).boxed().sorted(Comparator.comparingDouble(id -> -logits[id])).toList();
        double temperature = sampling.path("temperature").asDouble();
        if (temperature == 0) {
            return order.get(0);
        }
        int topK = sampling.path("top_k").asInt();
        List<Integer> likely = topK == -1 ? order : order.subList(0, topK);
        double[] weights = likely.stream().mapToDouble(id -> Math.exp((logits[id] - logits[order.get(0)]) / temperature)).toArray();
        double kept = 0;
        int nucleus = 0;
        for (double total = Arrays.stream(weights).sum(); nucleus < weights.length && kept < sampling.path("top_p").asDouble() * total; nucleus++) {
            kept += weights[nucleus];
        }
        double point = random.nextDouble() * kept;
        int drawn = 0;
        while (drawn < nucleus - 1 && point >= weights[drawn]) {
            point -= weights[drawn++];
        }
        return likely.get(drawn);
    }

    private static int[] best(double[] logProbabilities, int k) {
        return IntStream.range(0, logProbabilities.length).boxed().sorted(Comparator.comparingDouble(id -> -logProbabilities[id])).limit(k)
                .mapToInt(id -> id).toArray();
    }

    private double[][] logProbabilities(int[] ids) {
        int size = teacher.vocabSize();
        float[] logits = teacher.logits(ids);
        double[][] all = new double[ids.length][size];
        for (int t = 0; t < ids.length; t++) {
            int from = t * size;
            double sum = IntStream.range(0, size).mapToDouble(id -> Math.exp(logits[from + id])).sum();
            for (int id = 0; id < size; id++) {
                all[t][id] = logits[from + id] - Math.log(sum);
            }
        }
        return all;
    }
}
