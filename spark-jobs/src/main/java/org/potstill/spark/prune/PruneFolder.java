// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.potstill.checkpoints.pruning.PrunedCheckpoint;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.Identity;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.storage.TemporaryFolder;
import org.potstill.spark.train.StudentFolder;
import org.potstill.student.Student;

/**
 * The folder of a pruned model in Hugging Face's layout, with {@code provenance.json}, which is written last: if it exists, the model
 * is complete. Until then {@code progress.json} holds the measurements, so that a killed run can resume.
 */
final class PruneFolder {
    private static final String PROVENANCE = "provenance.json";
    /** Key of the calibration text's fingerprint in an identity. */
    static final String CALIBRATION = "calibration text";
    private static final String PROGRESS = "progress.json";

    private final HadoopFolder folder;
    private final ObjectNode identity;

    PruneFolder(HadoopFolder folder, ObjectNode identity) {
        this.folder = folder;
        this.identity = identity;
    }

    /**
     * Progress of a run.
     *
     * @param removals     finished rounds
     * @param evenlySpaced measured baselines
     * @param seconds      time spent
     */
    record Progress(List<Removal> removals, List<EvenlySpaced> evenlySpaced, double seconds) {
        static final Progress NONE = new Progress(List.of(), List.of(), 0);
    }

    /** Rejects, before any work is done, a folder that contains another model. */
    static void requireOurs(HadoopFolder folder) {
        folder.requireOurs("prune.path", List.of(PROGRESS, PROVENANCE), StudentFolder.MODEL);
    }

    /**
     * Returns the summary of the finished model, if there is one. Rejects one made from another model or with other settings, but
     * accepts one measured on other text: a larger corpus is no reason to prune again.
     */
    Optional<PruneSummary> finished() {
        if (!folder.has(PROVENANCE)) {
            return Optional.empty();
        }
        ObjectNode same = identity.deepCopy();
        same.remove(CALIBRATION);
        return Optional.of(read(PROVENANCE, "pruning", same, new TypeReference<PruneSummary>() { }));
    }

    Progress progress() {
        return folder.has(PROGRESS) ? read(PROGRESS, "progress", identity, new TypeReference<Progress>() { }) : Progress.NONE;
    }

    private <T> T read(String name, String field, ObjectNode wanted, TypeReference<T> type) {
        JsonNode json = folder.readJson(name);
        if (!json.has(field)) {
            throw JobErrors.wouldOverwrite("prune.path", folder.path().toString(), name);
        }
        ObjectNode then = json.path("identity").isObject() ? json.path("identity").deepCopy() : HadoopFolder.JSON.createObjectNode();
        if (!wanted.has(CALIBRATION)) {
            then.remove(CALIBRATION);
        }
        Identity.firstDifference(wanted, then).ifPresent(key -> {
            if (key.equals(CALIBRATION)) {
                throw PruneErrors.pruningTextChanged(folder.path(name).toString());
            }
            throw PruneErrors.anotherPruning(folder.path().toString(), key, identity.path(key), then.path(key));
        });
        try {
            return HadoopFolder.JSON.readValue(HadoopFolder.JSON.treeAsTokens(json.path(field)), type);
        } catch (JsonProcessingException e) {
            throw JobErrors.damagedJson(folder.path(name).toString(), e.getOriginalMessage());
        } catch (java.io.IOException e) {
            throw JobErrors.damagedJson(folder.path(name).toString(), e.getMessage());
        }
    }

    void save(Progress progress) {
        ObjectNode json = HadoopFolder.JSON.createObjectNode();
        json.set("identity", identity);
        json.set("progress", HadoopFolder.JSON.valueToTree(progress));
        folder.writeJson(PROGRESS, json);
    }

    /**
     * Publishes the finished model.
     *
     * @param provenance further provenance to record
     */
    void publish(PrunedCheckpoint model, PruneSummary summary, ObjectNode provenance) {
        try (TemporaryFolder local = new TemporaryFolder()) {
            Path weights = local.path().resolve(Student.WEIGHTS);
            model.write(weights);
            folder.write(Student.WEIGHTS, weights);
        }
        TokenizerDefinition tokenizer = model.tokenizer();
        folder.writeText("tokenizer.json", tokenizer.huggingFaceJson());
        folder.writeText("tokenizer_config.json", tokenizer.configJson());
        folder.writeJson(StudentFolder.GENERATION_CONFIG, StudentFolder.tokenIds(tokenizer));
        folder.writeJson(Student.CONFIG, StudentFolder.withTokenIds(model.config().toJson(), tokenizer));
        provenance.set("identity", identity);
        provenance.set("pruning", HadoopFolder.JSON.valueToTree(summary));
        folder.writeJson(PROVENANCE, provenance);
        folder.delete(PROGRESS);
    }
}
