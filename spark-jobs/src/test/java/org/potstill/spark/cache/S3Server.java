// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** S3Proxy in a process of its own on loopback, in memory, with one bucket: its name is no other server's, as Hadoop keeps clients by name. */
public final class S3Server implements AutoCloseable {
    private final Process process;
    private final URI endpoint;
    private final String bucket;

    public S3Server(Path folder) throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        endpoint = URI.create("http://127.0.0.1:" + port);
        bucket = "lake-" + port;
        Path settings = Files.writeString(folder.resolve("s3proxy.conf"), String.join("\n", "s3proxy.authorization=none",
                "s3proxy.endpoint=" + endpoint, "jclouds.provider=transient", "jclouds.identity=any", "jclouds.credential=any"));
        Path logging = Files.writeString(folder.resolve("logback.xml"), """
                <configuration>
                  <appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%m%n</pattern></encoder></appender>
                  <root level="warn"><appender-ref ref="out"/></root>
                </configuration>
                """);
        Path log = folder.resolve("s3proxy.log");
        process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m",
                "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dlogback.configurationFile=" + logging, "-cp", Path.of(System.getProperty("s3.server")) + "/*",
                "org.gaul.s3proxy.Main", "--properties", settings.toString())
                .redirectErrorStream(true).redirectOutput(log.toFile()).start();
        makeBucket(log);
    }

    private void makeBucket(Path log) throws Exception {
        HttpRequest put = HttpRequest.newBuilder(endpoint.resolve("/" + bucket)).PUT(HttpRequest.BodyPublishers.noBody()).build();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (true) {
            try {
                HttpResponse<String> answer = HttpClient.newHttpClient().send(put, HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() == 200) {
                    return;
                }
                throw new IOException("status " + answer.statusCode() + ": " + answer.body());
            } catch (IOException e) {
                if (!process.isAlive() || System.nanoTime() > deadline) {
                    throw new AssertionError("no S3 server:\n" + Files.readString(log), e);
                }
                Thread.sleep(100);
            }
        }
    }

    public String root() {
        return "s3a://" + bucket;
    }

    public Map<String, String> hadoop() {
        return Map.of("fs.s3a.endpoint", endpoint.toString(), "fs.s3a.path.style.access", "true",
                "fs.s3a.connection.ssl.enabled", "false", "fs.s3a.access.key", "any", "fs.s3a.secret.key", "any",
                "fs.s3a.multipart.size", "5M", "fs.s3a.directory.marker.retention", "keep", "fs.s3a.multiobjectdelete.enable", "false",
                "fs.s3a.attempts.maximum", "2", "fs.s3a.retry.limit", "2");
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(10, TimeUnit.SECONDS)) {
            process.destroyForcibly();
        }
    }
}
