// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.net.URI;
import org.potstill.checkpoints.io.Json;

/**
 * OpenAI's completions with vLLM's extensions {@code prompt_logprobs} and {@code return_token_ids}: for each token of the prompt but
 * the first, a map from the ids of the most probable tokens, and always the actual one, to their log-probabilities.
 */
final class VllmProtocol extends ScoringProtocol {
    @Override
    URI address(URI base) {
        return URI.create(base + "/completions");
    }

    @Override
    void write(JsonWriter json, String model, int[] sequence, int k) throws IOException {
        json.name("model").value(model);
        json.name("prompt").beginArray();
        writeIds(json, sequence);
        json.endArray();
        json.name("prompt_logprobs").value(k).name("return_token_ids").value(true);
        // One token is the least that vLLM generates; the others override what a generation_config.json there says.
        json.name("max_tokens").value(1).name("temperature").value(1).name("top_p").value(1).name("repetition_penalty").value(1);
    }

    @Override
    void read(JsonReader json, ReplyScores scores) throws IOException, ReplyScores.MismatchException, Json.MalformedException {
        int choices = 0;
        json.beginObject();
        while (json.hasNext()) {
            switch (json.nextName()) {
                case "choices" -> {
                    json.beginArray();
                    while (json.hasNext()) {
                        if (choices++ > 0) {
                            throw new Json.MalformedException("it has several choices");
                        }
                        readChoice(json, scores);
                    }
                    json.endArray();
                }
                case "usage" -> readUsage(json, scores);
                default -> json.skipValue();
            }
        }
        json.endObject();
        if (choices == 0) {
            throw new Json.MalformedException("it has no choices");
        }
    }

    private static void readUsage(JsonReader json, ReplyScores scores) throws IOException, ReplyScores.MismatchException, Json.MalformedException {
        if (isNull(json)) {
            return;
        }
        json.beginObject();
        while (json.hasNext()) {
            if (json.nextName().equals("prompt_tokens")) {
                scores.requireLength(json.nextLong());
            } else {
                json.skipValue();
            }
        }
        json.endObject();
    }

    private static void readChoice(JsonReader json, ReplyScores scores) throws IOException, ReplyScores.MismatchException, Json.MalformedException {
        boolean scored = false;
        json.beginObject();
        while (json.hasNext()) {
            switch (json.nextName()) {
                case "prompt_token_ids" -> readTokens(json, scores);
                case "prompt_logprobs" -> {
                    if (!isNull(json)) {
                        if (scored) {
                            throw new Json.MalformedException("it has prompt_logprobs twice");
                        }
                        scored = true;
                        readPositions(json, scores);
                    }
                }
                default -> json.skipValue();
            }
        }
        json.endObject();
        if (!scored) {
            throw new Json.MalformedException("it has no prompt_logprobs");
        }
    }

    private static void readPositions(JsonReader json, ReplyScores scores) throws IOException, ReplyScores.MismatchException, Json.MalformedException {
        json.beginArray();
        if (!isNull(json)) {
            throw new Json.MalformedException("the first entry of its prompt_logprobs is not null, though no token comes before the first");
        }
        while (json.hasNext()) {
            json.beginObject();
            while (json.hasNext()) {
                readEntry(json, scores);
            }
            json.endObject();
            scores.endPosition();
        }
        json.endArray();
    }

    private static void readEntry(JsonReader json, ReplyScores scores) throws IOException, ReplyScores.MismatchException, Json.MalformedException {
        long id = Long.parseLong(json.nextName());
        boolean given = false;
        Double logProbability = null;
        json.beginObject();
        while (json.hasNext()) {
            if (json.nextName().equals("logprob")) {
                given = true;
                logProbability = readNumber(json);
            } else {
                json.skipValue();
            }
        }
        json.endObject();
        if (!given) {
            throw new Json.MalformedException("an entry of its prompt_logprobs has no logprob");
        }
        scores.add(id, logProbability);
    }
}
