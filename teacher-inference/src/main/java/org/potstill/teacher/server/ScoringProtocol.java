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

/** How a kind of server is asked for the log-probabilities of a sequence's tokens. */
abstract class ScoringProtocol {
    /** Returns the protocol of a server by what {@code GET /models} says of its models' owner. */
    static ScoringProtocol of(String owner) {
        return owner.equals("sglang") ? new SglangProtocol() : new VllmProtocol();
    }

    /** Returns the address that requests go to. */
    abstract URI address(URI base);

    /** Writes the members of a request. */
    abstract void write(JsonWriter json, String model, int[] sequence, int k) throws IOException;

    /** Reads a reply into scores. */
    abstract void read(JsonReader json, ReplyScores scores) throws IOException, ReplyScores.MismatchException, Json.MalformedException;

    final String request(String model, int[] sequence, int k) {
        StringWriter text = new StringWriter();
        try (JsonWriter json = new JsonWriter(text)) {
            json.beginObject();
            write(json, model, sequence, k);
            json.endObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }

    /**
     * Reads a whole reply.
     *
     * @throws EOFException if it was cut off
     */
    final void read(byte[] body, ReplyScores scores) throws EOFException, ReplyScores.MismatchException, Json.MalformedException {
        try (JsonReader json = new JsonReader(new InputStreamReader(new ByteArrayInputStream(body), StandardCharsets.UTF_8))) {
            read(json, scores);
            if (json.peek() != JsonToken.END_DOCUMENT) {
                throw new Json.MalformedException("there is text after its end");
            }
        } catch (EOFException e) {
            throw e;
        } catch (IOException | IllegalStateException | NumberFormatException e) {
            throw new Json.MalformedException("it is not what the protocol says: " + String.valueOf(e.getMessage()).replaceFirst("(?s)\nSee https://.*", ""));
        }
    }

    static void writeIds(JsonWriter json, int[] ids) throws IOException {
        json.beginArray();
        for (int id : ids) {
            json.value(id);
        }
        json.endArray();
    }

    /** Reads a list of token ids, which must be the sequence's; null is skipped. */
    static void readTokens(JsonReader json, ReplyScores scores) throws IOException, ReplyScores.MismatchException {
        if (isNull(json)) {
            return;
        }
        int count = 0;
        json.beginArray();
        while (json.hasNext()) {
            scores.requireToken(count++, json.nextLong());
        }
        json.endArray();
        scores.requireLength(count);
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
