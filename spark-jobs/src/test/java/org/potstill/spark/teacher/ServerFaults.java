// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** What goes wrong with servers. */
public final class ServerFaults {
    private ServerFaults() {
    }

    /** Returns what passes when the request is sent again; the first asks for a second's pause, one is silent for 7 s. */
    static ScoringServer.Fault[] passing() {
        return new ScoringServer.Fault[] {busy(), status(500, "no"), cut(), silent(7000), status(503, "no"), cutByProxy(), status(502, "no")};
    }

    public static ScoringServer.Fault status(int status, String message) {
        ObjectNode said = new ObjectMapper().createObjectNode();
        said.putObject("error").put("message", message);
        return (exchange, reply) -> ScoringServer.send(exchange, status, said);
    }

    private static ScoringServer.Fault busy() {
        return (exchange, reply) -> {
            exchange.getResponseHeaders().add("Retry-After", "1");
            status(429, "slow down").commit(exchange, reply);
        };
    }

    /** Returns one that closes the connection before the end that it promised. */
    public static ScoringServer.Fault cut() {
        return (exchange, reply) -> {
            byte[] body = reply.toString().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body, 0, body.length / 2);
            exchange.getResponseBody().flush();
            // Closing the exchange would wait for the rest.
            throw new IOException("cut off");
        };
    }

    /** Returns one whose body ends too early in good order. */
    private static ScoringServer.Fault cutByProxy() {
        return (exchange, reply) -> {
            String body = reply.toString();
            exchange.sendResponseHeaders(200, 0);
            exchange.getResponseBody().write(body.substring(0, body.length() / 2).getBytes(StandardCharsets.UTF_8));
            exchange.close();
        };
    }

    static ScoringServer.Fault silent(long millis) {
        return (exchange, reply) -> {
            exchange.sendResponseHeaders(200, 0);
            sleep(millis);
            exchange.close();
        };
    }

    public static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
