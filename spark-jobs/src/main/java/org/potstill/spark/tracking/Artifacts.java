// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import java.io.FileNotFoundException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.time.Duration;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Uploads a run's files: through the server if it passes them on ({@code mlflow server --artifacts-destination}), otherwise to the place that it
 * names, by Hadoop.
 *
 * @param key      which no message may quote
 * @param progress is run after each part of a file
 */
record Artifacts(MlflowServer server, TrackingKey key, Configuration hadoop, Runnable progress) {
    private static final String PROXIED = "mlflow-artifacts";
    /** Hadoop's file systems that may be the server's place; never the local one, which is another on the server. */
    private static final String SHARED = "s3|s3a|gs|abfss?|wasbs?|hdfs";
    private static final String VOLUMES = "dbfs:/Volumes/";
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
            if (scheme.equals(PROXIED) && at.getAuthority() == null) {
                put(new URI(null, null, at.getPath() + "/" + name, null).getRawPath(), file);
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

    private void put(String path, Path file) throws IOException {
        long length = file.getFileSystem(hadoop).getFileStatus(file).getLen();
        HttpRequest.BodyPublisher body = length == 0 ? BodyPublishers.noBody() : BodyPublishers.fromPublisher(BodyPublishers.ofInputStream(() -> {
            try {
                return read(file);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }), length);
        // Servers may take the whole file before they store it.
        server.put(path, body, Duration.ofSeconds(STALL_SECONDS + length / (1 << 20)));
        progress.run();
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
