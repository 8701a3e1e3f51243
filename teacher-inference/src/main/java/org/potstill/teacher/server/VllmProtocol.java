// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.net.URI;
import org.potstill.checkpoints.io.Json;
import org.potstill.teacher.generation.SamplingOptions;

/**
 * OpenAI's completions with vLLM's extensions {@code prompt_logprobs} and {@code return_token_ids}: for each token of the prompt but
 * the first, a map from the ids of the most probable tokens, and always the actual one, to their log-probabilities; and the ids of the
 * prompt and of the answer, with the token that ended it.
 */
final class VllmProtocol extends ServerProtocol {
    /** Reads a reply's only choice. */
    private interface Choice {
        void read(JsonReader json) throws IOException, MismatchException, Json.MalformedException;
    }

    @Override
    URI address(URI base) {
        return URI.create(base + "/completions");
    }

    @Override
    void writeScoring(JsonWriter json, String model, int[] sequence, int k) throws IOException {
        writePrompt(json, model, sequence);
        json.name("prompt_logprobs").value(k);
        // One token is the least that vLLM generates.
        json.name("max_tokens").value(1).name("temperature").value(1).name("top_p").value(1);
    }

    @Override
    void writeAnswering(JsonWriter json, String model, Continuation asked) throws IOException {
        writePrompt(json, model, asked.prompt().ids());
        SamplingOptions sampling = asked.sampling();
        json.name("max_tokens").value(asked.maxNewTokens()).name("temperature").value(sampling.temperature()).name("top_p").value(sampling.topP());
        json.name("top_k").value(sampling.topK() == 0 ? -1 : sampling.topK()).name("seed").value(asked.seed()).name("n").value(1);
        json.name("stop_token_ids");
        writeIds(json, asked.stopIds());
        json.name("min_p").value(0).name("presence_penalty").value(0).name("frequency_penalty").value(0);
    }

    private static void writePrompt(JsonWriter json, String model, int[] prompt) throws IOException {
        json.name("model").value(model).name("prompt").beginArray();
        writeIds(json, prompt);
        json.endArray();
        // What is not set is as a generation_config.json there says.
        json.name("return_token_ids").value(true).name("repetition_penalty").value(1);
    }

    @Override
    void readScores(JsonReader json, ReplyScores scores) throws IOException, MismatchException, Json.MalformedException {
        read(json, scores.request(), choice -> readScoredPrompt(choice, scores));
    }

    @Override
    void readAnswer(JsonReader json, ReplyAnswer answer) throws IOException, MismatchException, Json.MalformedException {
        read(json, answer.prompt(), choice -> {
            choice.beginObject();
            while (choice.hasNext()) {
                switch (choice.nextName()) {
                    case "prompt_token_ids" -> answer.prompt().requireList(choice);
                    case "token_ids" -> answer.readTokens(choice);
                    case "finish_reason" -> answer.readFinish(choice);
                    case "stop_reason" -> answer.readStop(choice);
                    default -> choice.skipValue();
                }
            }
            choice.endObject();
        });
    }

    private static void read(JsonReader json, RequestTokens request, Choice choice) throws IOException, MismatchException, Json.MalformedException {
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
                        choice.read(json);
                    }
                    json.endArray();
                }
                case "usage" -> readUsage(json, request);
                default -> json.skipValue();
            }
        }
        json.endObject();
        if (choices == 0) {
            throw new Json.MalformedException("it has no choices");
        }
    }

    private static void readUsage(JsonReader json, RequestTokens request) throws IOException, MismatchException {
        if (isNull(json)) {
            return;
        }
        json.beginObject();
        while (json.hasNext()) {
            if (json.nextName().equals("prompt_tokens")) {
                request.requireLength(json.nextLong());
            } else {
                json.skipValue();
            }
        }
        json.endObject();
    }

    private static void readScoredPrompt(JsonReader json, ReplyScores scores) throws IOException, MismatchException, Json.MalformedException {
        boolean scored = false;
        json.beginObject();
        while (json.hasNext()) {
            switch (json.nextName()) {
                case "prompt_token_ids" -> scores.request().requireList(json);
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

    private static void readPositions(JsonReader json, ReplyScores scores) throws IOException, MismatchException, Json.MalformedException {
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

    private static void readEntry(JsonReader json, ReplyScores scores) throws IOException, MismatchException, Json.MalformedException {
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
