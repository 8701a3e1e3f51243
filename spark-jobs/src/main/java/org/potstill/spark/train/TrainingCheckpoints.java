package org.potstill.spark.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.potstill.checkpoints.Safetensors;
import org.potstill.checkpoints.SafetensorsFile;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.TemporaryFolder;
import org.potstill.student.StepLoss;
import org.potstill.student.Student;
import org.potstill.student.TrainingOptions;

/**
 * Checkpoints of a training run in {@code checkpoints/step-00000123/}: {@code config.json} and
 * {@code model.safetensors} of the student, {@code updater.safetensors}, and {@code training.json} with the place in
 * the data. A checkpoint appears under its name once it is whole.
 */
final class TrainingCheckpoints {
    private static final String FOLDER = "checkpoints";
    private static final String UPDATER_STATE = "updater_state";

    private final HadoopFolder folder;
    private final ObjectNode identity;
    private final int keep;

    /** @param identity what a checkpoint must agree with to be gone on from */
    TrainingCheckpoints(HadoopFolder student, ObjectNode identity, int keep) {
        this.folder = student.folder(FOLDER);
        this.identity = identity;
        this.keep = keep;
    }

    /**
     * Where training stands.
     *
     * @param epoch   of the next round
     * @param round   the next one
     * @param state   at its beginning
     * @param history loss of every step before
     * @param seconds spent before
     */
    record Position(int epoch, int round, ModelState state, List<StepLoss> history, double seconds) {
    }

    /** How many workers the newest checkpoint's run averages, so that a resumed run does the same on another cluster. */
    Optional<Integer> workers() {
        return newest().map(name -> folder.folder(name).readJson("training.json").path("identity").path("train.workers").asInt());
    }

    String describeNewest() {
        return newest().map(name -> folder.path(name).toString()).orElse("none: training begins anew");
    }

    void save(int step, Position position, Student student) {
        try (TemporaryFolder temporary = new TemporaryFolder()) {
            Path local = temporary.path();
            student.setParameters(position.state().parameters());
            student.save(local);
            float[] state = position.state().updaterState();
            Safetensors.write(local.resolve("updater.safetensors"), new LinkedHashMap<>(Map.of(UPDATER_STATE, new long[] {state.length})),
                    Map.of(), name -> FloatBuffer.wrap(state));
            ObjectNode json = HadoopFolder.JSON.createObjectNode();
            json.put("epoch", position.epoch()).put("round", position.round()).put("seconds", position.seconds());
            json.set("identity", identity);
            ArrayNode history = json.putArray("history");
            for (StepLoss loss : position.history()) {
                history.addArray().add(loss.total()).add(loss.kl()).add(loss.crossEntropy()).add(loss.positions());
            }
            Files.writeString(local.resolve("training.json"), json.toString());
            folder.publish(local, String.format("step-%08d", step));
            List<String> names = names();
            names.subList(0, Math.max(0, names.size() - keep)).forEach(folder::delete);
        } catch (IOException e) {
            throw JobErrors.unwritable("checkpoint", folder.path().toString(), e);
        }
    }

    /** The newest checkpoint, if there is one; refuses one made with other settings. */
    Optional<Position> resume(TrainingOptions options) {
        return newest().map(name -> {
            JsonNode json = folder.folder(name).readJson("training.json");
            firstDifference(identity, json.path("identity")).ifPresent(key -> {
                throw JobErrors.settingsDiffer("the unfinished student in " + folder.path(), key, identity.path(key),
                        json.path("identity").path(key));
            });
            try (TemporaryFolder local = new TemporaryFolder()) {
                Path checkpoint = local.path().resolve(name);
                folder.fetch(name, checkpoint);
                return new Position(json.path("epoch").asInt(), json.path("round").asInt(),
                        state(checkpoint, options), history(json.path("history")), json.path("seconds").asDouble());
            }
        });
    }

    private ModelState state(Path checkpoint, TrainingOptions options) {
        try (Student student = Student.load(checkpoint, options);
                SafetensorsFile updater = SafetensorsFile.open(checkpoint.resolve("updater.safetensors"))) {
            float[] updaterState = new float[student.updaterState().length];
            long[] shape = updater.shape(UPDATER_STATE);
            if (shape.length != 1 || shape[0] != updaterState.length) {
                throw JobErrors.damagedJson(checkpoint + "/updater.safetensors", "it does not fit the student");
            }
            updater.read(UPDATER_STATE, FloatBuffer.wrap(updaterState));
            return new ModelState(student.parameters(), updaterState);
        }
    }

    private static List<StepLoss> history(JsonNode json) {
        List<StepLoss> history = new ArrayList<>();
        json.forEach(l -> history.add(new StepLoss(l.path(0).asDouble(), l.path(1).asDouble(), l.path(2).asDouble(), l.path(3).asLong())));
        return history;
    }

    /** The first key in which two identities differ. */
    static Optional<String> firstDifference(JsonNode now, JsonNode then) {
        List<String> keys = new ArrayList<>();
        now.fieldNames().forEachRemaining(keys::add);
        return keys.stream().filter(key -> !now.path(key).equals(then.path(key))).findFirst();
    }

    private Optional<String> newest() {
        List<String> names = names();
        return names.isEmpty() ? Optional.empty() : Optional.of(names.get(names.size() - 1));
    }

    private List<String> names() {
        return new ArrayList<>(folder.names().stream().filter(n -> n.matches("step-\\d{8,10}")).toList());
    }
}
