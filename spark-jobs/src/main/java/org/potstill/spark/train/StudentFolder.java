package org.potstill.spark.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;
import org.potstill.spark.TemporaryFolder;
import org.potstill.spark.Versions;
import org.potstill.spark.cache.LabelStore;
import org.potstill.student.Student;
import org.potstill.student.TrainingOptions;

/**
 * A finished student: {@code config.json}, {@code model.safetensors}, {@code tokenizer.json} and
 * {@code tokenizer_config.json} as Hugging Face lays them out, and {@code provenance.json}, written last: where it is, the
 * student is whole.
 */
public final class StudentFolder {
    private static final String PROVENANCE = "provenance.json";

    private final HadoopFolder folder;

    public StudentFolder(HadoopFolder folder) {
        this.folder = folder;
    }

    public boolean isFinished() {
        return folder.has(PROVENANCE);
    }

    /** @throws org.potstill.errors.UserException when there is no finished student */
    public JsonNode provenance() {
        if (!isFinished()) {
            throw JobErrors.noStudent(folder.path().toString());
        }
        return folder.readJson(PROVENANCE);
    }

    /** Copies the student to a local folder and opens it. */
    public Student open(Path local, TrainingOptions options) {
        for (String name : List.of(Student.CONFIG, Student.WEIGHTS)) {
            folder.fetch(name, local.resolve(name));
        }
        return Student.load(local, options);
    }

    TrainSummary summary(ObjectNode identity) {
        JsonNode provenance = provenance();
        TrainingCheckpoints.firstDifference(identity, provenance.path("identity")).ifPresent(key -> {
            throw JobErrors.anotherStudent(folder.path().toString(), key, TrainingSettings.said(identity, key),
                    TrainingSettings.said(provenance.path("identity"), key));
        });
        try {
            return HadoopFolder.JSON.treeToValue(provenance.path("training"), TrainSummary.class);
        } catch (JsonProcessingException e) {
            throw JobErrors.damagedJson(folder.path(PROVENANCE).toString(), e.getOriginalMessage());
        }
    }

    void publish(Student student, LabelStore store, ObjectNode identity, Settings settings, TrainSummary summary) {
        try (TemporaryFolder local = new TemporaryFolder()) {
            student.save(local.path());
            for (String name : List.of(Student.CONFIG, Student.WEIGHTS)) {
                folder.write(name, local.path().resolve(name));
            }
        }
        TokenizerDefinition tokenizer = store.tokenizer().below(student.config().vocabSize());
        folder.writeText("tokenizer.json", tokenizer.json());
        folder.writeText("tokenizer_config.json", tokenizer.configJson());
        ObjectNode provenance = HadoopFolder.JSON.createObjectNode();
        provenance.set("teacher", store.provenance().path("teacher"));
        provenance.set("tokenizer", store.provenance().path("tokenizer"));
        provenance.set("targets", store.provenance().path("targets"));
        provenance.set("corpus", store.currentSnapshot());
        provenance.set("identity", identity);
        provenance.set("training", HadoopFolder.JSON.valueToTree(summary));
        provenance.set("settings", settings.provenance());
        provenance.putObject("versions").put("potstill", Versions.potstill())
                .put("spark", org.apache.spark.package$.MODULE$.SPARK_VERSION()).put("java", System.getProperty("java.version"));
        folder.writeJson(PROVENANCE, provenance);
    }
}
