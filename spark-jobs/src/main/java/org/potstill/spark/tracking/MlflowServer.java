// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.apache.commons.lang3.StringUtils;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.mlflow.api.proto.Service;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.MlflowHttpException;
import org.potstill.spark.DaemonThreads;
import org.potstill.spark.storage.HadoopFolder;

/**
 * The requests to an MLflow server that recording a run takes, by MLflow's own client. That has no limits of time, so each request has a
 * thread, which is left behind with its connection if the answer takes too long.
 */
final class MlflowServer implements AutoCloseable {
    /** Limits of a {@code log-batch} request. */
    static final int MAX_METRICS = 1000;
    private static final int MAX_PARAMS = 100;
    /** Of values: what servers of every age take. */
    private static final int MAX_VALUE = 500;
    private static final int MAX_KEY = 250;
    private static final int MAX_REASON = 300;

    private final String uri;
    private final TrackingKey key;
    private final Duration limit;
    private final ExecutorService requests = Executors.newCachedThreadPool(DaemonThreads.named("potstill-mlflow-request"));
    private MlflowClient client;

    /** @param limit of the time for a request */
    MlflowServer(String uri, TrackingKey key, Duration limit) {
        this.limit = limit;
        this.uri = uri;
        this.key = key;
    }

    /** A run on the server, and the URI of the folder with its artifacts. */
    record Run(String id, String artifacts) {
        static Run of(Service.RunInfo info) {
            return new Run(info.getRunId(), info.getArtifactUri());
        }
    }

    /** Returns the id of the experiment of a name, which is created if it is missing. */
    String experiment(String name) {
        Optional<String> known = known(name);
        if (known.isPresent()) {
            return known.get();
        }
        try {
            return ask(client -> client.createExperiment(name));
        } catch (UnrecordedException e) {
            // Another job may have been faster.
            return known(name).orElseThrow(() -> e);
        }
    }

    private Optional<String> known(String name) {
        // Asked for by name, a missing one is an error, which the client repeats and logs.
        char quote = name.indexOf('\'') < 0 ? '\'' : '"';
        return ask(client -> client.searchExperiments("name = " + quote + name + quote, Service.ViewType.ACTIVE_ONLY, 1, List.of())).getItems().stream()
                .findFirst().map(Service.Experiment::getExperimentId);
    }

    /** Returns the oldest run with a tag, unless it was deleted. */
    Optional<Run> find(String experiment, String tag, String value) {
        return ask(client -> client.searchRuns(List.of(experiment), "tags.\"" + tag + "\" = '" + value + "'", Service.ViewType.ACTIVE_ONLY, 1,
                List.of("attributes.start_time ASC"))).getItems().stream().findFirst().map(run -> Run.of(run.getInfo()));
    }

    Run create(String experiment, String name, Map<String, String> tags) {
        Service.CreateRun.Builder run = Service.CreateRun.newBuilder().setExperimentId(experiment).setRunName(cut(name, MAX_KEY))
                .setUserId(System.getProperty("user.name")).setStartTime(System.currentTimeMillis());
        tags.forEach((tag, value) -> run.addTags(tag(tag, value)));
        return Run.of(ask(client -> client.createRun(run.build())));
    }

    void logParams(Run run, Map<String, String> params) {
        List<Service.Param> all = new ArrayList<>();
        // Servers take no empty ones.
        params.entrySet().stream().filter(param -> !param.getValue().isBlank()).forEach(param -> all.add(Service.Param.newBuilder().setKey(name(param.getKey())).setValue(cut(param.getValue(), MAX_VALUE)).build()));
        for (int from = 0; from < all.size(); from += MAX_PARAMS) {
            List<Service.Param> some = all.subList(from, Math.min(all.size(), from + MAX_PARAMS));
            ask(client -> {
                client.logBatch(run.id(), List.of(), some, List.of());
                return null;
            });
        }
    }

    /** @param metrics up to {@value #MAX_METRICS} */
    void logMetrics(Run run, List<Service.Metric> metrics) {
        ask(client -> {
            client.logBatch(run.id(), metrics, List.of(), List.of());
            return null;
        });
    }

    void logTags(Run run, Map<String, String> tags) {
        List<Service.RunTag> all = tags.entrySet().stream().map(tag -> tag(tag.getKey(), tag.getValue())).toList();
        ask(client -> {
            client.logBatch(run.id(), List.of(), List.of(), all);
            return null;
        });
    }

    void setStatus(Run run, Service.RunStatus status) {
        ObjectNode update = HadoopFolder.JSON.createObjectNode().put("run_id", run.id()).put("status", status.name());
        if (status != Service.RunStatus.RUNNING) {
            update.put("end_time", System.currentTimeMillis());
        }
        ask(client -> client.sendPost("runs/update", update.toString()));
    }

    static Service.Metric metric(String name, double value, long step, long millis) {
        return Service.Metric.newBuilder().setKey(name(name)).setValue(value).setStep(step).setTimestamp(millis).build();
    }

    private static Service.RunTag tag(String name, String value) {
        return Service.RunTag.newBuilder().setKey(name(name)).setValue(cut(value, MAX_VALUE)).build();
    }

    /** Returns a name without the characters that servers refuse: users choose the names of corpora and teachers. */
    private static String name(String name) {
        return cut(name.replaceAll("[^A-Za-z0-9_. /-]", "_").replaceAll("/{2,}|^/|/$|(?<=/)\\.+(?=/)", "_"), MAX_KEY);
    }

    private static String cut(String text, int length) {
        return StringUtils.abbreviate(text, length);
    }

    private <T> T ask(Function<MlflowClient, T> request) {
        Future<T> answer = requests.submit(() -> request.apply(open()));
        try {
            return answer.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            close();
            throw new UnrecordedException("no answer within " + limit.toSeconds() + " seconds", false);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof MlflowHttpException http) {
                int status = http.getStatusCode();
                throw new UnrecordedException(status + " " + said(http.getReasonPhrase() + " " + http.getBodyMessage()),
                        status >= 400 && status < 500 && status != 408 && status != 429);
            }
            Throwable root = ExceptionUtils.getRootCause(e);
            throw new UnrecordedException(said(root.toString()), false);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnrecordedException("interrupted", false);
        }
    }

    /** Returns what servers and exceptions say, on one line and without secrets. */
    private String said(String text) {
        return cut(key.hideIn(text).replaceAll("[\\p{Cntrl}\\s]+", " ").strip(), MAX_REASON);
    }

    private synchronized MlflowClient open() {
        if (client == null) {
            client = uri.startsWith("http") ? new MlflowClient(key.at(uri)) : new MlflowClient(uri);
        }
        return client;
    }

    /** Ends the connection, and with it a request that is under way; the next request opens another. */
    @Override
    public synchronized void close() {
        if (client != null) {
            client.close();
            client = null;
        }
    }
}
