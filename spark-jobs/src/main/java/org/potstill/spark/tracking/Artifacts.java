// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import java.io.FileNotFoundException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Uploads a run's files: through the server if it passes them on ({@code mlflow server --artifacts-destination}), otherwise to the place that it
 * names, by Hadoop.
 *
 * @param uri      of the server
 * @param progress is run after each part of a file
 */
record Artifacts(String uri, TrackingKey key, Configuration hadoop, Runnable progress) {
    private static final String PROXIED = "mlflow-artifacts";
    /** Hadoop's file systems that may be the server's place; never the local one, which is another on the server. */
    private static final String SHARED = "s3|s3a|gs|abfss?|wasbs?|hdfs";
    private static final String VOLUMES = "dbfs:/Volumes/";
    private static final Duration CONNECT = Duration.ofSeconds(10);
    private static final int STALL_SECONDS = 30;

    /**
     * Uploads a file.
     *
     * @param folder URI of the run's artifacts, as the server says
     * @param name   of the artifact below it, possibly with folders
     * @throws UnrecordedException if that fails
     */
    void upload(String folder, String name, Path file) {
        URI at;
        try {
            at = new URI(folder);
        } catch (URISyntaxException e) {
            throw new UnrecordedException("the server keeps artifacts at what is not a URI", true);
        }
        String scheme = at.getScheme() == null ? "file" : at.getScheme();
        try {
            if (scheme.equals(PROXIED) && at.getAuthority() == null && uri.startsWith("http")) {
                put(uri + "/api/2.0/mlflow-artifacts/artifacts" + new URI(null, null, at.getPath() + "/" + name, null).getRawPath(), file);
            } else if (scheme.matches(SHARED) || folder.startsWith(VOLUMES)) {
                copy(new Path(folder.replaceFirst("^s3:", "s3a:"), name), file);
            } else {
                throw new UnrecordedException("the server keeps artifacts in " + scheme + ":, which only it can reach; start it with "
                        + "--artifacts-destination, or give the experiment a location in an object store", true);
            }
        } catch (FileNotFoundException e) {
            throw new UnrecordedException("there is no " + file, true);
        } catch (IOException | URISyntaxException e) {
            throw new UnrecordedException(key.hideIn(String.valueOf(e.getMessage())), false);
        }
    }

    private void copy(Path target, Path file) throws IOException {
        FileSystem fs = target.getFileSystem(hadoop);
        try (InputStream in = read(file); var out = fs.create(target, true)) {
            in.transferTo(out);
        }
    }

    private void put(String target, Path file) throws IOException {
        long length = file.getFileSystem(hadoop).getFileStatus(file).getLen();
        HttpRequest.Builder request = key.sign(HttpRequest.newBuilder(URI.create(target)).header("Content-Type", "application/octet-stream"));
        HttpRequest.BodyPublisher body = length == 0 ? BodyPublishers.noBody() : BodyPublishers.fromPublisher(BodyPublishers.ofInputStream(() -> {
            try {
                return read(file);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }), length);
        // Redirects, which would take the key elsewhere, are not followed.
        HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(CONNECT).build();
        CompletableFuture<HttpResponse<Void>> answer = http.sendAsync(request.PUT(body).build(), BodyHandlers.discarding());
        try {
            // Servers may take the whole file before they store it.
            int status = answer.get(STALL_SECONDS + length / (1 << 20), TimeUnit.SECONDS).statusCode();
            if (status / 100 != 2) {
                throw new UnrecordedException("status " + status + " for an artifact", status >= 400 && status < 500);
            }
            progress.run();
        } catch (TimeoutException e) {
            answer.cancel(true);
            throw new UnrecordedException("no answer for an artifact of " + length + " bytes", false);
        } catch (ExecutionException e) {
            throw new IOException(e.getCause().toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnrecordedException("interrupted", false);
        }
    }

    private InputStream read(Path file) throws IOException {
        return new FilterInputStream(file.getFileSystem(hadoop).open(file)) {
            @Override
            public int read(byte[] bytes, int from, int length) throws IOException {
                progress.run();
                return super.read(bytes, from, length);
            }
        };
    }
}
