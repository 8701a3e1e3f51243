// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.StreamSupport;
import org.apache.commons.lang3.StringUtils;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.teacher.server.BoundedBody;

/**
 * The requests of MLflow's REST interface, version 2.0, that recording a run takes. MLflow's Java client would bring libraries of its own, whose
 * faults are known, and has no limits of time or size.
 */
final class MlflowServer {
    /** Limits of a {@code log-batch} request. */
    static final int MAX_METRICS = 1000;
    private static final int MAX_PARAMS = 100;
    /** Of values: what servers of every age take. */
    private static final int MAX_VALUE = 500;
    private static final int MAX_KEY = 250;
    private static final int MAX_REASON = 300;
    private static final int MAX_REPLY = 4 << 20;
    private static final int SUCCESS = 2;
    private static final Duration CONNECT = Duration.ofSeconds(10);

    private final String uri;
    private final TrackingKey key;
    private final Duration limit;
    // Redirects, which would take the key elsewhere, are not followed.
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(CONNECT).build();

    /** @param limit of the time for a request */
    MlflowServer(String uri, TrackingKey key, Duration limit) {
        this.uri = uri;
        this.key = key;
        this.limit = limit;
    }

    /** A run on the server, and the URI of the folder with its artifacts. */
    record Run(String id, String artifacts) {
        static Run of(JsonNode run) {
            return new Run(run.path("info").path("run_id").asText(), run.path("info").path("artifact_uri").asText());
        }
    }

    /**
     * A metric.
     *
     * @param millis when it was measured, since 1970
     */
    record Figure(String name, double value, long step, long millis) {
    }

    enum Status { RUNNING, FINISHED, FAILED, KILLED }

    /** Returns the id of the experiment of a name, which is created if it is missing. */
    String experiment(String name) {
        Optional<String> known = known(name);
        if (known.isPresent()) {
            return known.get();
        }
        try {
            return ask("experiments/create", object().put("name", name)).path("experiment_id").asText();
        } catch (UnrecordedException e) {
            // Another job may have been faster.
            return known(name).orElseThrow(() -> e);
        }
    }

    private Optional<String> known(String name) {
        char quote = name.indexOf('\'') < 0 ? '\'' : '"';
        return first(ask("experiments/search", object().put("filter", "name = " + quote + name + quote).put("max_results", 1)).path("experiments"))
                .map(experiment -> experiment.path("experiment_id").asText());
    }

    /** Returns the oldest run with a tag, unless it was deleted. */
    Optional<Run> find(String experiment, String tag, String value) {
        ObjectNode search = object().put("filter", "tags.\"" + tag + "\" = '" + value + "'").put("max_results", 1);
        search.putArray("experiment_ids").add(experiment);
        search.putArray("order_by").add("attributes.start_time ASC");
        return first(ask("runs/search", search).path("runs")).map(Run::of);
    }

    private static Optional<JsonNode> first(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false).findFirst();
    }

    Run create(String experiment, String name, Map<String, String> tags) {
        ObjectNode run = object().put("experiment_id", experiment).put("run_name", cut(name, MAX_KEY)).put("user_id", System.getProperty("user.name"))
                .put("start_time", System.currentTimeMillis());
        run.set("tags", pairs(tags));
        return Run.of(ask("runs/create", run).path("run"));
    }

    void logParams(Run run, Map<String, String> params) {
        // Servers take no empty ones.
        List<JsonNode> all = new ArrayList<>();
        pairs(params).forEach(param -> {
            if (!param.path("value").asText().isBlank()) {
                all.add(param);
            }
        });
        for (int from = 0; from < all.size(); from += MAX_PARAMS) {
            log(run, "params", array().addAll(all.subList(from, Math.min(all.size(), from + MAX_PARAMS))));
        }
    }

    /** @param figures up to {@value #MAX_METRICS} */
    void logMetrics(Run run, List<Figure> figures) {
        ArrayNode metrics = array();
        figures.forEach(figure -> metrics.addObject().put("key", name(figure.name)).put("value", figure.value).put("step", figure.step)
                .put("timestamp", figure.millis));
        log(run, "metrics", metrics);
    }

    void logTags(Run run, Map<String, String> tags) {
        log(run, "tags", pairs(tags));
    }

    private void log(Run run, String list, ArrayNode entries) {
        ObjectNode batch = object().put("run_id", run.id());
        batch.set(list, entries);
        ask("runs/log-batch", batch);
    }

    void setStatus(Run run, Status status) {
        ObjectNode update = object().put("run_id", run.id()).put("status", status.name());
        if (status != Status.RUNNING) {
            update.put("end_time", System.currentTimeMillis());
        }
        ask("runs/update", update);
    }

    private static ObjectNode object() {
        return HadoopFolder.JSON.createObjectNode();
    }

    private static ArrayNode array() {
        return HadoopFolder.JSON.createArrayNode();
    }

    private static ArrayNode pairs(Map<String, String> values) {
        ArrayNode pairs = array();
        values.forEach((name, value) -> pairs.addObject().put("key", name(name)).put("value", cut(value, MAX_VALUE)));
        return pairs;
    }

    /** Returns a name without the characters that servers refuse: users choose the names of corpora and teachers. */
    private static String name(String name) {
        return cut(name.replaceAll("[^A-Za-z0-9_. /-]", "_").replaceAll("/{2,}|^/|/$|(?<=/)\\.+(?=/)", "_"), MAX_KEY);
    }

    private static String cut(String text, int length) {
        return StringUtils.abbreviate(text, length);
    }

    /**
     * Makes a request.
     *
     * @throws UnrecordedException unless the server does what is asked
     */
    private JsonNode ask(String what, ObjectNode body) {
        byte[] reply = send(request("mlflow/" + what).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body.toString())), limit);
        try {
            return reply.length == 0 ? object() : HadoopFolder.JSON.readTree(reply);
        } catch (IOException e) {
            throw new UnrecordedException("its answer is not JSON", false);
        }
    }

    /**
     * Uploads a file through the server.
     *
     * @param path  of the artifact, with a slash in front, percent-encoded
     * @param patience how long the server may take
     * @throws UnrecordedException if it does not store the file
     */
    void put(String path, HttpRequest.BodyPublisher body, Duration patience) {
        send(request("mlflow-artifacts/artifacts" + path).header("Content-Type", "application/octet-stream").PUT(body), patience);
    }

    private HttpRequest.Builder request(String what) {
        return key.sign(HttpRequest.newBuilder(URI.create(uri + "/api/2.0/" + what)));
    }

    private byte[] send(HttpRequest.Builder request, Duration patience) {
        // Of the whole reply: a request's own limit ends with its headers.
        Future<HttpResponse<byte[]>> answer = http.sendAsync(request.build(), reply -> new BoundedBody(MAX_REPLY, reply.statusCode() / 100 != SUCCESS));
        try {
            HttpResponse<byte[]> reply = answer.get(patience.toMillis(), TimeUnit.MILLISECONDS);
            int status = reply.statusCode();
            if (status / 100 != SUCCESS) {
                throw new UnrecordedException(status + " " + said(new String(reply.body(), StandardCharsets.UTF_8)),
                        status >= 300 && status < 500 && status != 408 && status != 429);
            }
            return reply.body();
        } catch (TimeoutException e) {
            answer.cancel(true);
            throw new UnrecordedException("no answer within " + patience.toSeconds() + " seconds", false);
        } catch (ExecutionException e) {
            throw new UnrecordedException(said(ExceptionUtils.getRootCause(e).toString()), false);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnrecordedException("interrupted", false);
        }
    }

    /** Returns what servers and exceptions say, on one line and without secrets. */
    private String said(String text) {
        return cut(key.hideIn(text).replaceAll("[\\p{Cntrl}\\s]+", " ").strip(), MAX_REASON);
    }
}
