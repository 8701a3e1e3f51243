// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.potstill.checkpoints.io.Json;

/** The message in a server's refusal, short and safe to print. */
final class ServerMessage {
    private static final int MAX_LENGTH = 400;

    private ServerMessage() {
    }

    /** Returns the message of OpenAI's, FastAPI's or another JSON object, or the text itself, without the key. */
    static String of(byte[] body, ServerKey key) {
        String text = new String(body, StandardCharsets.UTF_8);
        try {
            Map<String, Object> json = Json.object(text);
            Object error = json.get("error") instanceof Map<?, ?> inner ? inner.get("message") : json.get("error");
            for (Object message : new Object[] {error, json.get("message"), json.get("detail")}) {
                if (message != null) {
                    return printable(key.hideIn(message.toString()));
                }
            }
        } catch (Json.MalformedException e) {
            // A proxy's page.
            return printable(key.hideIn(text.replaceAll("<[^>]*>", " ")));
        }
        return printable(key.hideIn(text));
    }

    /** Returns a text in one line without control characters, cut if long. */
    static String printable(String text) {
        String line = text.replaceAll("[\\p{Cntrl}\\s]+", " ").strip();
        return line.isEmpty() ? "without a message" : line.length() <= MAX_LENGTH ? line : line.substring(0, MAX_LENGTH) + " ...";
    }
}
