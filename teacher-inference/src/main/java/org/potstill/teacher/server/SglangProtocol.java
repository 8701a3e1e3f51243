// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.io.Json;
import org.potstill.teacher.generation.SamplingOptions;

/**
 * SGLang's own {@code /generate}, as its completions name tokens by their text: lists of {@code [log-probability, id, text]}, of the
 * actual tokens and of the most probable ones, each list with null for the first token; and the ids of an answer, with the token that
 * ended it.
 */
final class SglangProtocol extends ServerProtocol {
    /** Of an actual token. */
    private record Entry(Double logProbability, long id) {
    }

    @Override
    URI address(URI base) {
        return URI.create(base.toString().replaceFirst("/v1$", "") + "/generate");
    }

    @Override
    void writeScoring(JsonWriter json, String model, int[] sequence, int k) throws IOException {
        json.name("input_ids");
        writeIds(json, sequence);
        json.name("return_logprob").value(true).name("logprob_start_len").value(0).name("top_logprobs_num").value(k);
        json.name("sampling_params").beginObject().name("max_new_tokens").value(1).name("temperature").value(1).name("top_p").value(1).endObject();
    }

    @Override
    void writeAnswering(JsonWriter json, String model, Continuation asked) throws IOException {
        json.name("input_ids");
        writeIds(json, asked.prompt().ids());
        SamplingOptions sampling = asked.sampling();
        json.name("sampling_params").beginObject();
        json.name("max_new_tokens").value(asked.maxNewTokens()).name("temperature").value(sampling.temperature()).name("top_p").value(sampling.topP());
        json.name("top_k").value(sampling.topK() == 0 ? -1 : sampling.topK()).name("sampling_seed").value(asked.seed()).name("n").value(1);
        json.name("stop_token_ids");
        writeIds(json, asked.stopIds());
        json.endObject();
    }

    @Override
    void readAnswer(JsonReader json, ReplyAnswer answer) throws IOException, MismatchException {
        json.beginObject();
        while (json.hasNext()) {
            switch (json.nextName()) {
                case "output_ids" -> answer.readTokens(json);
                case "meta_info" -> readEnd(json, answer);
                default -> json.skipValue();
            }
        }
        json.endObject();
    }

    private static void readEnd(JsonReader json, ReplyAnswer answer) throws IOException, MismatchException {
        json.beginObject();
        while (json.hasNext()) {
            switch (json.nextName()) {
                case "prompt_tokens" -> answer.prompt().requireLength(json.nextLong());
                case "finish_reason" -> {
                    json.beginObject();
                    while (json.hasNext()) {
                        switch (json.nextName()) {
                            case "type" -> answer.readFinish(json);
                            case "matched" -> answer.readStop(json);
                            default -> json.skipValue();
                        }
                    }
                    json.endObject();
                }
                default -> json.skipValue();
            }
        }
        json.endObject();
    }

    @Override
    void readScores(JsonReader json, ReplyScores scores) throws IOException, MismatchException, Json.MalformedException {
        List<Entry> actual = null;
        List<List<Entry>> top = null;
        json.beginObject();
        while (json.hasNext()) {
            if (!json.nextName().equals("meta_info")) {
                json.skipValue();
                continue;
            }
            json.beginObject();
            while (json.hasNext()) {
                switch (json.nextName()) {
                    case "prompt_tokens" -> scores.request().requireLength(json.nextLong());
                    case "input_token_logprobs" -> actual = entries(json);
                    case "input_top_logprobs" -> top = positions(json);
                    default -> json.skipValue();
                }
            }
            json.endObject();
        }
        json.endObject();
        if (actual == null || top == null) {
            throw new Json.MalformedException("it has no input_token_logprobs or no input_top_logprobs");
        }
        join(actual, top, scores);
    }

    private static void join(List<Entry> actual, List<List<Entry>> top, ReplyScores scores) throws MismatchException {
        scores.request().requireLength(actual.size());
        scores.request().requireLength(top.size());
        for (int t = 0; t < top.size(); t++) {
            Entry next = actual.get(t);
            scores.request().requireToken(t, next.id());
            if (t == 0) {
                continue;
            }
            boolean listed = false;
            for (Entry entry : top.get(t)) {
                scores.add(entry.id(), entry.logProbability());
                listed |= entry.id() == next.id();
            }
            if (!listed) {
                scores.add(next.id(), next.logProbability());
            }
            scores.endPosition();
        }
    }

    private static List<List<Entry>> positions(JsonReader json) throws IOException, Json.MalformedException {
        List<List<Entry>> positions = new ArrayList<>();
        json.beginArray();
        while (json.hasNext()) {
            positions.add(isNull(json) ? List.of() : entries(json));
        }
        json.endArray();
        return positions;
    }

    private static List<Entry> entries(JsonReader json) throws IOException, Json.MalformedException {
        List<Entry> entries = new ArrayList<>();
        json.beginArray();
        while (json.hasNext()) {
            json.beginArray();
            Double logProbability = readNumber(json);
            entries.add(new Entry(logProbability, json.nextLong()));
            while (json.hasNext()) {
                json.skipValue();
            }
            json.endArray();
        }
        json.endArray();
        return entries;
    }
}
