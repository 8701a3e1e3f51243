// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.storage.HadoopFolder;

/**
 * The origin of a {@link LabelStore}'s labels: {@code provenance.json}, with {@code tokenizer.json} beside it. Written once.
 *
 * @param folder the store's folder
 */
record Provenance(HadoopFolder folder) {
    private static final String FILE = "provenance.json";
    private static final String TOKENIZER = "tokenizer.json";

    boolean exists() {
        return folder.has(FILE);
    }

    String path() {
        return folder.path(FILE).toString();
    }

    JsonNode json() {
        return folder.readJson(FILE);
    }

    /**
     * Reads the identity of the labels.
     *
     * @throws org.potstill.errors.UserException if it is missing or damaged
     */
    Labels labels() {
        JsonNode json = json();
        JsonNode teacher = json.path("teacher").path("fingerprint");
        JsonNode tokenizer = json.path("tokenizer").path("fingerprint");
        int vocab = json.path("teacher").path("vocab_size").asInt(0);
        String spec = json.path("targets").path("spec").asText();
        if (!teacher.asText().matches("[0-9a-f]{64}") || !tokenizer.asText().matches("[0-9a-f]{64}") || vocab < 1 || spec.isEmpty()) {
            throw JobErrors.damagedJson(path(),
                    "it lacks the teacher's or the tokenizer's fingerprint, vocab_size or the target specification");
        }
        return new Labels(teacher.asText(), tokenizer.asText(), vocab, TargetSpec.parse(spec));
    }

    TokenizerDefinition tokenizer() {
        JsonNode json = json().path("tokenizer");
        // Older caches lack these, and the ids that begin and end documents.
        List<Integer> stopIds = ids(json.path("stop_ids"));
        TokenizerDefinition tokenizer = new TokenizerDefinition(folder.readText(TOKENIZER), json.path("bos_id").asInt(-1),
                json.path("eos_id").asInt(-1), json.path("add_bos").asBoolean(), json.path("chat_template").asText(""), stopIds);
        return json.has("begin_ids") ? tokenizer.withBegin(ids(json.path("begin_ids"))).withEnd(ids(json.path("end_ids"))) : tokenizer;
    }

    private static List<Integer> ids(JsonNode list) {
        List<Integer> ids = new ArrayList<>();
        list.forEach(id -> ids.add(id.asInt()));
        return ids;
    }

    /** Writes the provenance, see {@link LabelStore#describe}. */
    void describe(Labels labels, ObjectNode teacher, TokenizerDefinition tokenizer) {
        ObjectNode json = HadoopFolder.JSON.createObjectNode();
        json.put("format", SoftTargetsCodec.VERSION).put("potstill", Versions.potstill())
                .put("created", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        json.set("teacher", teacher);
        ObjectNode described = json.putObject("tokenizer").put("fingerprint", labels.tokenizer()).put("bos_id", tokenizer.bosId())
                .put("eos_id", tokenizer.eosId()).put("add_bos", tokenizer.addBos()).put("chat_template", tokenizer.chatTemplate());
        tokenizer.stopIds().forEach(described.putArray("stop_ids")::add);
        tokenizer.begin().forEach(described.putArray("begin_ids")::add);
        tokenizer.end().forEach(described.putArray("end_ids")::add);
        TargetSpec spec = labels.spec();
        json.putObject("targets").put("spec", spec.name()).put("k", spec.k()).put("draws", spec.draws()).put("seed", spec.seed())
                .put("tail", spec.hasGhost() ? "ghost" : "sampled").put("temperature", 1.0);
        folder.createJson(FILE, json);
        // Another run may have been first or, on a store that can only overwrite, have written in between.
        requireSame(labels(), labels);
        folder.create(TOKENIZER, out -> out.write(tokenizer.json().getBytes(StandardCharsets.UTF_8)));
    }

    private void requireSame(Labels held, Labels labels) {
        String what = "the cache " + folder.path();
        if (!held.tokenizer().equals(labels.tokenizer())) {
            throw JobErrors.settingsDiffer(what, "tokenizer", labels.tokenizer(), held.tokenizer());
        }
        if (!held.teacher().equals(labels.teacher())) {
            throw JobErrors.settingsDiffer(what, "teacher", labels.teacher(), held.teacher());
        }
    }
}
