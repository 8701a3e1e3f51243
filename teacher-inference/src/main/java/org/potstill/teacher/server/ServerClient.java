// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.io.EOFException;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.potstill.checkpoints.io.Json;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * HTTP requests that survive a server that is busy, slow or restarting: what may pass is tried again with exponential backoff and
 * full jitter (Brooker, "Exponential Backoff And Jitter", 2015), but not before the time that the server asks for. Thread-safe.
 */
final class ServerClient {
    private static final Logger LOG = LoggerFactory.getLogger(ServerClient.class);
    private static final int OK = 200;
    /** Statuses of servers that are overloaded or restarting, and of the proxies before them. */
    private static final Set<Integer> TRANSIENT = Set.of(408, 425, 429, 500, 502, 503, 504);
    private static final int MAX_ERROR_BYTES = 1 << 16;
    /** Bytes per token or log-probability in a reply, with the token's text, which may be escaped, and per reply. */
    private static final int ENTRY_BYTES = 1 << 10;
    private static final int REPLY_BYTES = 1 << 20;
    private static final long FIRST_PAUSE_MILLIS = 500;
    private static final long MAX_PAUSE_MILLIS = 30_000;
    private static final int MAX_DOUBLINGS = 16;
    private static final long WARNING_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final ServerOptions options;
    private final HttpClient client;
    private final AtomicLong warned = new AtomicLong(System.nanoTime() - WARNING_NANOS);

    /** Reads a reply. */
    interface Reading<T> {
        /**
         * Reads the body of a reply.
         *
         * @throws EOFException           if the body is incomplete, so that the request is sent again
         * @throws Json.MalformedException if it is complete, but not what the protocol says
         */
        T read(byte[] body) throws EOFException, Json.MalformedException;
    }

    /**
     * A failure that may pass.
     *
     * @param millis time to wait that the server asks for; 0 if it does not
     */
    private record Failure(String why, long millis) {
    }

    ServerClient(ServerOptions options) {
        this.options = options;
        // Redirects would carry the key to another host.
        this.client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(options.requestLimit()).build();
    }

    /** Returns the bytes that a reply with this many tokens or log-probabilities may have. */
    static int longestReply(long entries) {
        return (int) Math.min(REPLY_BYTES + entries * ENTRY_BYTES, Integer.MAX_VALUE - 8);
    }

    /** Returns threads that send as many requests at a time as the options allow. */
    ThreadPoolExecutor threads() {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(options.requests(), options.requests(), 1, TimeUnit.MINUTES, new LinkedBlockingQueue<>(), task -> {
            Thread thread = new Thread(task, "potstill-request");
            thread.setDaemon(true);
            return thread;
        });
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    /**
     * Sends a request until it is answered.
     *
     * @param url      address
     * @param json     body; null for a GET request
     * @param maxBytes largest reply that is possible
     * @throws org.potstill.errors.UserException if the server refuses the request, sends something else, or is not available for longer
     *     than the options allow
     */
    <T> T call(URI url, String json, int maxBytes, Reading<T> reading) throws InterruptedException {
        HttpRequest request = request(url, json);
        long firstFailure = 0;
        for (int attempt = 0;; attempt++) {
            Failure failure;
            try {
                HttpResponse<byte[]> response = send(request, maxBytes);
                if (response.statusCode() == OK) {
                    return reading.read(response.body());
                }
                String said = ServerMessage.of(response.body(), options.key());
                if (!TRANSIENT.contains(response.statusCode())) {
                    throw ServerErrors.refused(options.url(), response.statusCode(), said);
                }
                failure = new Failure("it answers with status " + response.statusCode() + ": " + said, retryAfter(response));
            } catch (BoundedBody.TooLongException e) {
                throw ServerErrors.tooLarge(options.url(), maxBytes);
            } catch (Json.MalformedException e) {
                throw ServerErrors.malformed(options.url(), ServerMessage.printable(options.key().hideIn(e.getMessage())));
            } catch (IOException e) {
                if (isCertificate(e)) {
                    throw ServerErrors.untrusted(options.url(), e);
                }
                failure = new Failure(reason(e), 0);
            }
            long now = System.nanoTime();
            firstFailure = attempt == 0 ? now : firstFailure;
            long remaining = options.retryLimit().toMillis() - TimeUnit.NANOSECONDS.toMillis(now - firstFailure);
            if (remaining <= 0) {
                throw ServerErrors.unavailable(options.url(), failure.why(), options.retryLimit());
            }
            if (attempt > 0) {
                // The first may be a connection that the server closed when idle.
                warn(failure);
            }
            Thread.sleep(Math.min(remaining, Math.max(failure.millis(), pause(attempt))));
        }
    }

    private HttpRequest request(URI url, String json) {
        HttpRequest.Builder request = HttpRequest.newBuilder(url).header("Accept", "application/json");
        if (options.key().isSet()) {
            request.header("Authorization", "Bearer " + options.key().value());
        }
        return json == null ? request.build()
                : request.header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(json)).build();
    }

    private HttpResponse<byte[]> send(HttpRequest request, int maxBytes) throws IOException, InterruptedException {
        // The client's own time limit ends with the reply's headers.
        CompletableFuture<HttpResponse<byte[]>> reply = client.sendAsync(request,
                info -> info.statusCode() == OK ? new BoundedBody(maxBytes, false) : new BoundedBody(MAX_ERROR_BYTES, true));
        try {
            return reply.get(options.requestLimit().toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new HttpTimeoutException("no complete reply within " + options.requestLimit().toMillis() / 1e3 + " s");
        } catch (ExecutionException e) {
            for (Throwable at = e; at != null; at = at.getCause()) {
                if (at instanceof BoundedBody.TooLongException tooLong) {
                    throw tooLong;
                }
            }
            throw new IOException(e.getCause());
        } finally {
            reply.cancel(true);
        }
    }

    /** Returns a pause drawn uniformly from zero to a bound that doubles with each attempt, short compared with the limit. */
    private long pause(int attempt) {
        long most = Math.min(MAX_PAUSE_MILLIS, Math.max(1, options.retryLimit().toMillis() / 10));
        return ThreadLocalRandom.current().nextLong(1 + Math.min(most, FIRST_PAUSE_MILLIS << Math.min(attempt, MAX_DOUBLINGS)));
    }

    /** Returns the milliseconds of a Retry-After header, which is in seconds or a date. */
    private static long retryAfter(HttpResponse<?> response) {
        String value = response.headers().firstValue("Retry-After").orElse("").strip();
        try {
            return value.matches("[0-9]{1,9}") ? TimeUnit.SECONDS.toMillis(Long.parseLong(value)) : value.isEmpty() ? 0
                    : Math.max(0, Duration.between(Instant.now(), ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME)).toMillis());
        } catch (DateTimeParseException e) {
            return 0;
        }
    }

    private void warn(Failure failure) {
        long last = warned.get();
        if (System.nanoTime() - last >= WARNING_NANOS && warned.compareAndSet(last, System.nanoTime())) {
            LOG.warn("the teacher's server at {} is not available ({}): trying again for up to {} s", options.url(), failure.why(),
                    options.retryLimit().toSeconds());
        }
    }

    private static boolean isCertificate(Throwable thrown) {
        for (Throwable at = thrown; at != null; at = at.getCause()) {
            if (at instanceof CertificateException) {
                return true;
            }
        }
        return false;
    }

    /** Describes a failed connection; some exceptions of the HTTP client have no message. */
    private static String reason(Throwable thrown) {
        String reason = thrown.getClass().getSimpleName();
        for (Throwable at = thrown; at != null; at = at.getCause()) {
            String message = at.getMessage();
            reason = message == null ? at.getClass().getSimpleName() : message.replaceFirst("^java\\.[\\w.]*: ", "");
        }
        return ServerMessage.printable(reason);
    }
}
