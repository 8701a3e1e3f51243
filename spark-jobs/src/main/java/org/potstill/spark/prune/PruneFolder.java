package org.potstill.spark.prune;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.potstill.checkpoints.PrunedCheckpoint;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.Identity;
import org.potstill.spark.JobErrors;
import org.potstill.spark.TemporaryFolder;
import org.potstill.spark.train.StudentFolder;
import org.potstill.student.Student;

/**
 * What pruning leaves, as Hugging Face lays out a model, and {@code provenance.json}, written last: where it is, the model is
 * whole. Until then {@code progress.json} holds what was measured, so that a run that was killed goes on.
 */
final class PruneFolder {
    private static final String PROVENANCE = "provenance.json";
    /** Of an identity: the fingerprint of the text that was measured on. */
    static final String CALIBRATION = "calibration text";
    private static final String PROGRESS = "progress.json";

    private final HadoopFolder folder;
    private final ObjectNode identity;

    PruneFolder(HadoopFolder folder, ObjectNode identity) {
        this.folder = folder;
        this.identity = identity;
    }

    /**
     * How far a run has come.
     *
     * @param removals     rounds that are over
     * @param evenlySpaced models that were measured
     * @param seconds      spent
     */
    record Progress(List<Removal> removals, List<EvenlySpaced> evenlySpaced, double seconds) {
        static final Progress NONE = new Progress(List.of(), List.of(), 0);
    }

    /** Refuses a folder that holds somebody else's model, before any work is done. */
    void requireOurs() {
        if (!folder.has(PROGRESS) && !folder.has(PROVENANCE)) {
            folder.names().stream().filter(name -> name.equals(Student.CONFIG) || name.endsWith(".safetensors")).findFirst()
                    .ifPresent(name -> {
                        throw PruneErrors.notPruningsFolder(folder.path().toString(), name);
                    });
        }
    }

    /**
     * The summary of the finished model, if there is one; refuses one of another model or other settings. One that was measured
     * on other text stands: a corpus that has grown is no reason to prune again.
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

    /** @param provenance what else to record */
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
