// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.potstill.spark.DaemonThreads;

/** A server on loopback that plays the part of MLflow's REST interface that recording takes, and fails on demand. */
final class TrackingServer implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool(DaemonThreads.named("tracking-server"));
    private final Map<String, String> experiments = new ConcurrentHashMap<>();
    private final Map<String, ObjectNode> runs = new ConcurrentHashMap<>();
    private final Map<String, byte[]> artifacts = new ConcurrentHashMap<>();
    private final Queue<Integer> refusals = new ConcurrentLinkedQueue<>();
    private final Queue<String> batches = new ConcurrentLinkedQueue<>();
    private volatile long delayMillis;

    TrackingServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    String uri() {
        return "http://localhost:" + server.getAddress().getPort();
    }

    /** Has the next requests answered by these statuses. */
    void refuse(Integer... statuses) {
        refusals.addAll(List.of(statuses));
    }

    /** Has every answer come late. */
    void delay(long millis) {
        delayMillis = millis;
    }

    /** Returns the runs with a name. */
    List<JsonNode> runs(String name) {
        List<JsonNode> found = new ArrayList<>();
        runs.values().stream().filter(run -> run.path("info").path("run_name").asText().equals(name)).forEach(found::add);
        return found;
    }

    static String param(JsonNode run, String key) {
        return value(run, "params", key);
    }

    static String tag(JsonNode run, String key) {
        return value(run, "tags", key);
    }

    private static String value(JsonNode run, String list, String key) {
        for (JsonNode entry : run.path("data").path(list)) {
            if (entry.path("key").asText().equals(key)) {
                return entry.path("value").asText();
            }
        }
        return "";
    }

    /** Returns the steps at which a run has a metric, in the order of their arrival. */
    static List<Integer> steps(JsonNode run, String key) {
        List<Integer> steps = new ArrayList<>();
        for (JsonNode metric : run.path("data").path("metrics")) {
            if (metric.path("key").asText().equals(key)) {
                steps.add(metric.path("step").asInt());
            }
        }
        return steps;
    }

    byte[] artifact(JsonNode run, String name) {
        return artifacts.getOrDefault("/1/" + run.path("info").path("run_id").asText() + "/artifacts/" + name, new byte[0]);
    }

    /** Returns the bodies of all requests for batches. */
    List<String> batches() {
        return List.copyOf(batches);
    }

    private void answer(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        try {
            TimeUnit.MILLISECONDS.sleep(delayMillis);
        } catch (InterruptedException e) {
            return;
        }
        Integer refusal = refusals.poll();
        String path = exchange.getRequestURI().getPath();
        ObjectNode reply = JSON.createObjectNode();
        int status = refusal != null ? refusal : path.startsWith("/api/2.0/mlflow/") ? handle(path.substring(16), body, reply) : put(exchange, path, body);
        byte[] bytes = (status == 200 ? reply.toString() : "{\"error_code\": \"SAID\", \"message\": \"no\"}").getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    private int put(HttpExchange exchange, String path, byte[] body) {
        String prefix = "/api/2.0/mlflow-artifacts/artifacts";
        if (!exchange.getRequestMethod().equals("PUT") || !path.startsWith(prefix)) {
            return 404;
        }
        artifacts.put(path.substring(prefix.length()), body);
        return 200;
    }

    private synchronized int handle(String path, byte[] body, ObjectNode reply) {
        JsonNode asked = body.length == 0 ? JSON.createObjectNode() : read(body);
        switch (path) {
            case "experiments/search" -> {
                String name = asked.path("filter").asText().replaceFirst("^name = '(.*)'$", "$1");
                if (experiments.containsKey(name)) {
                    reply.putArray("experiments").addObject().put("experiment_id", experiments.get(name)).put("name", name);
                }
            }
            case "experiments/create" -> {
                experiments.put(asked.path("name").asText(), "1");
                reply.put("experiment_id", "1");
            }
            case "runs/create" -> {
                String id = "run" + runs.size();
                ObjectNode run = reply.putObject("run");
                run.putObject("info").put("run_id", id).put("run_name", asked.path("run_name").asText()).put("status", "RUNNING")
                        .put("artifact_uri", "mlflow-artifacts:/1/" + id + "/artifacts");
                run.putObject("data").set("tags", asked.path("tags").deepCopy());
                runs.put(id, run.deepCopy());
            }
            case "runs/search" -> {
                String filter = asked.path("filter").asText();
                runs.values().stream().filter(run -> filter.equals("tags.\"potstill.distillation\" = '" + tag(run, "potstill.distillation") + "'"))
                        .forEach(run -> reply.withArray("runs").add(run.deepCopy()));
            }
            case "runs/update" -> ((ObjectNode) runs.get(asked.path("run_id").asText()).path("info")).put("status", asked.path("status").asText());
            case "runs/log-batch" -> {
                batches.add(asked.toString());
                ObjectNode data = (ObjectNode) runs.get(asked.path("run_id").asText()).path("data");
                for (String list : List.of("metrics", "params", "tags")) {
                    asked.path(list).forEach(data.withArray(list)::add);
                }
            }
            default -> {
                return 404;
            }
        }
        return 200;
    }

    private static JsonNode read(byte[] body) {
        try {
            return JSON.readTree(body);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
