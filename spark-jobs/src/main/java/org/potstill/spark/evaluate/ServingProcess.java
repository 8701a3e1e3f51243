// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.potstill.spark.DaemonThreads;

/** A {@link ServedModel} in a separate process, with the Java and the class path of this one. Not thread-safe. */
final class ServingProcess implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long MINUTES = 20;
    private static final String END = "the process ended";

    private final Process process;
    private final Path errors;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    /** Failure to serve a model here; the message says why. */
    static final class FailedException extends Exception {
        private static final long serialVersionUID = 1;

        FailedException(String message) {
            super(message);
        }
    }

    /**
     * Starts the process.
     *
     * @param folder folder for its files, used by no other process and deleted at the end
     */
    ServingProcess(ServedModel.Job job, Path folder) {
        try {
            Path file = Files.writeString(folder.resolve("job.json"), JSON.writeValueAsString(job));
            errors = folder.resolve("stderr");
            ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-XX:+UseSerialGC", "-Xms32m", "-Xmx2g", "-Djava.io.tmpdir=" + folder, ServedModel.class.getName(), file.toString());
            builder.environment().put("CLASSPATH", classPath());
            builder.environment().putIfAbsent("RUST_FLAVOR", "cpu");
            process = builder.redirectError(errors.toFile()).start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        DaemonThreads.named("potstill-serving").newThread(this::read).start();
    }

    /** Returns the class path, with the application's jars, which only Spark's class loaders know. */
    private static String classPath() {
        try {
            String ours = Path.of(ServedModel.class.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
            return System.getProperty("java.class.path") + File.pathSeparator + ours;
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private void read() {
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (line.startsWith(ServedModel.ANSWER)) {
                    lines.add(line.substring(ServedModel.ANSWER.length()));
                }
            }
        } catch (IOException e) {
            // The process has ended, which is reported below.
        } finally {
            lines.add(END);
        }
    }

    void awaitReady() throws FailedException {
        answer();
    }

    ServedModel.Answer run(int item) throws FailedException {
        send(Integer.toString(item));
        try {
            return JSON.treeToValue(answer(), ServedModel.Answer.class);
        } catch (JsonProcessingException e) {
            throw new FailedException("unreadable answer: " + e.getOriginalMessage());
        }
    }

    /**
     * Ends the process.
     *
     * @return its peak resident memory; empty if unknown
     */
    Optional<Long> end() throws FailedException {
        send("end");
        long bytes = answer().path("peakBytes").asLong(-1);
        return bytes < 0 ? Optional.empty() : Optional.of(bytes);
    }

    private void send(String line) throws FailedException {
        try {
            OutputStream in = process.getOutputStream();
            in.write((line + "\n").getBytes(StandardCharsets.UTF_8));
            in.flush();
        } catch (IOException e) {
            throw new FailedException(lastError());
        }
    }

    private JsonNode answer() throws FailedException {
        try {
            String line = lines.poll(MINUTES, TimeUnit.MINUTES);
            if (line == null) {
                throw new FailedException("no answer in " + MINUTES + " minutes");
            }
            if (line.equals(END)) {
                throw new FailedException(lastError());
            }
            JsonNode node = JSON.readTree(line);
            if (node.has("problem")) {
                throw new FailedException(node.path("problem").asText());
            }
            return node;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FailedException("interrupted");
        } catch (JsonProcessingException e) {
            throw new FailedException("unreadable answer: " + e.getOriginalMessage());
        }
    }

    private String lastError() {
        try {
            process.waitFor(10, TimeUnit.SECONDS);
            List<String> all = Files.readAllLines(errors, StandardCharsets.ISO_8859_1);
            String last = all.stream().filter(line -> line.contains("Exception") || line.contains("Error")).reduce((a, b) -> a).orElse("");
            return "its process ended" + (process.isAlive() ? "" : " with exit status " + process.exitValue()) + (last.isEmpty() ? "" : ": " + last);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "interrupted";
        } catch (IOException e) {
            return "its process ended";
        }
    }

    @Override
    public void close() {
        try {
            process.getOutputStream().close();
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            process.destroyForcibly();
        }
    }
}
