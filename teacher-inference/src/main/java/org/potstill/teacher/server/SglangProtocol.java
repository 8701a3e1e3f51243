// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.io.Json;

/**
 * SGLang's own {@code /generate}, as its completions name tokens by their text: lists of {@code [log-probability, id, text]}, of the
 * actual tokens and of the most probable ones, each list with null for the first token.
 */
final class SglangProtocol extends ScoringProtocol {
    /** Of an actual token. */
    private record Entry(Double logProbability, long id) {
    }

    @Override
    URI address(URI base) {
        return URI.create(base.toString().replaceFirst("/v1$", "") + "/generate");
    }

    @Override
    void write(JsonWriter json, String model, int[] sequence, int k) throws IOException {
        json.name("input_ids");
        writeIds(json, sequence);
        json.name("return_logprob").value(true).name("logprob_start_len").value(0).name("top_logprobs_num").value(k);
        json.name("sampling_params").beginObject().name("max_new_tokens").value(1).name("temperature").value(1).name("top_p").value(1).endObject();
    }

    @Override
    void read(JsonReader json, ReplyScores scores) throws IOException, ReplyScores.MismatchException, Json.MalformedException {
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
                    case "prompt_tokens" -> scores.requireLength(json.nextLong());
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

    private static void join(List<Entry> actual, List<List<Entry>> top, ReplyScores scores) throws ReplyScores.MismatchException {
        scores.requireLength(actual.size());
        scores.requireLength(top.size());
        for (int t = 0; t < top.size(); t++) {
            Entry next = actual.get(t);
            scores.requireToken(t, next.id());
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
