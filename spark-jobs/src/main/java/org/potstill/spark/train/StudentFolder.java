// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.Identity;
import org.potstill.spark.cache.CorpusLabels;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingOptions;

/**
 * The folder of a finished student: {@code config.json}, {@code generation_config.json}, {@code model.safetensors},
 * {@code tokenizer.json} and {@code tokenizer_config.json} in Hugging Face's layout, and {@code provenance.json}, which is written
 * last: if it exists, the student is complete.
 */
public final class StudentFolder {
    public static final String GENERATION_CONFIG = "generation_config.json";
    public static final String PROVENANCE = "provenance.json";

    /** Names of the files of a model in Hugging Face's layout. */
    public static final List<String> MODEL = List.of(Student.CONFIG, Student.WEIGHTS, "tokenizer.json", "tokenizer_config.json", GENERATION_CONFIG);

    /** Folder of an unfinished training's {@link org.potstill.spark.train.data.EpochFiles}. */
    static final String EPOCHS = "_epochs";

    /** Member that only the provenance of an export has, not that of a student. */
    public static final String EXPORT = "export";

    /** Member of the provenance of a student of several teachers: each one's description by its name. */
    public static final String TEACHERS = "teachers";

    /** Member that only the provenance of a student has. */
    private static final String TRAINING = "training";

    private final HadoopFolder folder;

    public StudentFolder(HadoopFolder folder) {
        this.folder = folder;
    }

    /** Rejects, before any work is done, a folder that contains another model. */
    void requireOurs() {
        folder.requireOurs("student.path", List.of(TrainingCheckpoints.FOLDER, EPOCHS, PROVENANCE), MODEL);
    }

    public boolean isFinished() {
        return folder.has(PROVENANCE);
    }

    /**
     * Reads the provenance.
     *
     * @throws org.potstill.errors.UserException if there is no finished student
     */
    public JsonNode provenance() {
        if (!isFinished()) {
            throw JobErrors.noStudent(folder.path().toString());
        }
        JsonNode provenance = folder.readJson(PROVENANCE);
        if (provenance.has(EXPORT)) {
            throw JobErrors.exportedStudent(folder.path().toString());
        }
        return provenance;
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
        if (!provenance.has(TRAINING)) {
            throw JobErrors.wouldOverwrite("student.path", folder.path().toString(), PROVENANCE);
        }
        Identity.firstDifference(identity, provenance.path("identity")).ifPresent(key -> {
            throw JobErrors.anotherStudent(folder.path().toString(), key, TrainingSettings.said(identity, key),
                    TrainingSettings.said(provenance.path("identity"), key));
        });
        try {
            return HadoopFolder.JSON.treeToValue(provenance.path(TRAINING), TrainSummary.class);
        } catch (JsonProcessingException e) {
            throw JobErrors.damagedJson(folder.path(PROVENANCE).toString(), e.getOriginalMessage());
        }
    }

    /** Returns a model's {@code config.json} with the {@link #tokenIds} added. */
    public static ObjectNode withTokenIds(String configJson, TokenizerDefinition tokenizer) {
        try {
            ObjectNode config = (ObjectNode) HadoopFolder.JSON.readTree(configJson);
            return config.setAll(tokenIds(tokenizer));
        } catch (JsonProcessingException e) {
            throw JobErrors.damagedJson(Student.CONFIG, e.getOriginalMessage());
        }
    }

    /** Returns the ids of the begin-of-document token and of all end tokens, as in {@code generation_config.json}. */
    public static ObjectNode tokenIds(TokenizerDefinition tokenizer) {
        ObjectNode ids = HadoopFolder.JSON.createObjectNode();
        if (tokenizer.bosId() >= 0) {
            ids.put("bos_token_id", tokenizer.bosId());
        }
        List<Integer> ends = tokenizer.stopIds();
        if (ends.size() == 1) {
            ids.put("eos_token_id", ends.get(0));
        } else if (ends.size() > 1) {
            // The end-of-document token comes first: some software reads only the first.
            ArrayNode list = ids.putArray("eos_token_id");
            ends.stream().sorted(Comparator.comparing(id -> id != tokenizer.eosId())).forEach(list::add);
        }
        return ids;
    }

    /** @param late records of {@link LateRecords}, without which nobody could repeat the training */
    void publish(StateCopy state, CorpusLabels labels, ObjectNode identity, Settings settings, TrainSummary summary, ArrayNode late) {
        TokenizerDefinition tokenizer;
        try {
            String config = Files.readString(state.file(Student.CONFIG));
            tokenizer = labels.tokenizer().below(CausalLmConfig.fromJson(config, Student.CONFIG).vocabSize());
            folder.writeJson(Student.CONFIG, withTokenIds(config, tokenizer));
        } catch (IOException e) {
            throw JobErrors.unwritable("temporary files", state.folder(), e);
        }
        folder.write(Student.WEIGHTS, state.file(Student.WEIGHTS));
        folder.writeText("tokenizer.json", tokenizer.huggingFaceJson());
        folder.writeText("tokenizer_config.json", tokenizer.configJson());
        folder.writeJson(GENERATION_CONFIG, tokenIds(tokenizer));
        ObjectNode provenance = HadoopFolder.JSON.createObjectNode();
        if (labels.isMixture()) {
            provenance.set(TEACHERS, labels.teachers());
        } else {
            provenance.set("teacher", labels.provenance().path("teacher"));
        }
        provenance.set("tokenizer", labels.provenance().path("tokenizer"));
        provenance.set("targets", labels.provenance().path("targets"));
        provenance.set("corpus", labels.snapshot());
        provenance.set("identity", identity);
        provenance.set(TRAINING, HadoopFolder.JSON.valueToTree(summary));
        if (!late.isEmpty()) {
            provenance.set("late", late);
        }
        provenance.set("settings", settings.provenance());
        provenance.putObject("versions").put("potstill", Versions.potstill())
                .put("spark", org.apache.spark.package$.MODULE$.SPARK_VERSION()).put("java", System.getProperty("java.version"));
        folder.writeJson(PROVENANCE, provenance);
    }
}
