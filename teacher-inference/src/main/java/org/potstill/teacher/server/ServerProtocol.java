// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.potstill.checkpoints.io.Json;

/** How a kind of server is asked for the log-probabilities of a sequence's tokens, and for answers. */
abstract class ServerProtocol {
    /** Members of a JSON object. */
    private interface Members {
        void write(JsonWriter json) throws IOException;
    }

    /** Reads a JSON object. */
    private interface Reading {
        void read(JsonReader json) throws IOException, MismatchException, Json.MalformedException;
    }

    /** Returns the protocol of a server by what {@code GET /models} says of its models' owner. */
    static ServerProtocol of(String owner) {
        return owner.equals("sglang") ? new SglangProtocol() : new VllmProtocol();
    }

    /** Returns the address that requests go to. */
    abstract URI address(URI base);

    abstract void writeScoring(JsonWriter json, String model, int[] sequence, int k) throws IOException;

    abstract void readScores(JsonReader json, ReplyScores scores) throws IOException, MismatchException, Json.MalformedException;

    abstract void writeAnswering(JsonWriter json, String model, Continuation asked) throws IOException;

    abstract void readAnswer(JsonReader json, ReplyAnswer answer) throws IOException, MismatchException, Json.MalformedException;

    /** Returns a request for the k largest log-probabilities at each position, and those of the actual tokens. */
    final String scoring(String model, int[] sequence, int k) {
        return request(json -> writeScoring(json, model, sequence, k));
    }

    /** Returns a request for one answer, with the ids of its tokens. */
    final String answering(String model, Continuation asked) {
        return request(json -> writeAnswering(json, model, asked));
    }

    /**
     * Reads a whole reply.
     *
     * @throws EOFException if it was cut off
     */
    final void readScores(byte[] body, ReplyScores scores) throws EOFException, MismatchException, Json.MalformedException {
        read(body, json -> readScores(json, scores));
    }

    /**
     * Reads a whole reply.
     *
     * @throws EOFException if it was cut off
     */
    final void readAnswer(byte[] body, ReplyAnswer answer) throws EOFException, MismatchException, Json.MalformedException {
        read(body, json -> readAnswer(json, answer));
    }

    private static String request(Members members) {
        StringWriter text = new StringWriter();
        try (JsonWriter json = new JsonWriter(text)) {
            json.beginObject();
            members.write(json);
            json.endObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }

    private static void read(byte[] body, Reading reading) throws EOFException, MismatchException, Json.MalformedException {
        try (JsonReader json = new JsonReader(new InputStreamReader(new ByteArrayInputStream(body), StandardCharsets.UTF_8))) {
            reading.read(json);
            if (json.peek() != JsonToken.END_DOCUMENT) {
                throw new Json.MalformedException("there is text after its end");
            }
        } catch (EOFException e) {
            throw e;
        } catch (MismatchException e) {
            // A number that is cut off is another number.
            if (isCut(body)) {
                throw new EOFException("the reply is cut off");
            }
            throw e;
        } catch (IOException | IllegalStateException | NumberFormatException e) {
            if (isCut(body)) {
                throw new EOFException("the reply is cut off");
            }
            throw new Json.MalformedException("it is not what the protocol says: " + String.valueOf(e.getMessage()).replaceFirst("(?s)\nSee https://.*", ""));
        }
    }

    /** Returns whether a body begins as a JSON object does, and ends before that; the parser does not say so of an end in a string. */
    private static boolean isCut(byte[] body) {
        int depth = 0;
        boolean quoted = false;
        for (int i = 0; i < body.length; i++) {
            switch (body[i]) {
                case '\\' -> i++;
                case '"' -> quoted = !quoted;
                case '{', '[' -> depth += quoted ? 0 : 1;
                case '}', ']' -> depth -= quoted ? 0 : 1;
                default -> {
                }
            }
        }
        return body.length > 0 && body[0] == '{' && (quoted || depth > 0);
    }

    static void writeIds(JsonWriter json, int[] ids) throws IOException {
        json.beginArray();
        for (int id : ids) {
            json.value(id);
        }
        json.endArray();
    }

    /** Reads a log-probability; servers send null for NaN. */
    static Double readNumber(JsonReader json) throws IOException {
        return isNull(json) ? null : Double.valueOf(json.nextDouble());
    }

    /** Skips a null, and returns whether there was one. */
    static boolean isNull(JsonReader json) throws IOException {
        if (json.peek() == JsonToken.NULL) {
            json.nextNull();
            return true;
        }
        return false;
    }
}
