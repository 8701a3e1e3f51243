// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.potstill.spark.Identity;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.storage.TemporaryFolder;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.TrainingOptions;

/**
 * Checkpoints of a training run in {@code checkpoints/step-00000123/}: {@code config.json} and
 * {@code model.safetensors} of the student, {@code updater.safetensors} with the state of its optimizers, and
 * {@code training.json} with the position in the data. Training draws no random numbers: an epoch's order follows from
 * the seed and the epoch's number, so the position in the data is the only random state.
 *
 * <p>{@code training.json} is written last and deleted first: a folder without it is not a checkpoint. This also works on object
 * stores, which cannot rename a folder atomically. An incomplete folder is deleted when the next checkpoint is written.
 */
final class TrainingCheckpoints {
    static final String FOLDER = "checkpoints";
    private static final String TRAINING = "training.json";

    private final HadoopFolder folder;
    private final ObjectNode identity;
    private final int keep;

    /** @param identity what a checkpoint must match for training to resume from it */
    TrainingCheckpoints(HadoopFolder student, ObjectNode identity, int keep) {
        this.folder = student.folder(FOLDER);
        this.identity = identity;
        this.keep = keep;
    }

    /**
     * Progress of training between two rounds.
     *
     * @param epoch    epoch of the next round
     * @param round    next round within the epoch
     * @param state    initial state of that round
     * @param history  loss of every earlier step
     * @param seconds  training time so far
     * @param simd     the {@link org.potstill.spark.train.exchange.StudentPool#simd} of all executors so far
     */
    record Position(int epoch, int round, StateCopy state, List<StepLoss> history, double seconds, Set<String> simd) {
    }

    /** Returns the newest checkpoint's number of workers, which a run resumed on another cluster must keep. */
    Optional<Integer> workers() {
        return newest().map(name -> folder.folder(name).readJson(TRAINING).path("identity").path("train.workers").asInt());
    }

    String describeNewest() {
        return newest().map(name -> folder.path(name).toString()).orElse("none: training begins anew");
    }

    void save(int step, Position position) {
        HadoopFolder target = folder.folder(String.format(Locale.ROOT, "step-%08d", step));
        removeAll(unfinished());
        requireRoom(position);
        // TRAINING, which completes the checkpoint, is written last.
        for (String file : StateCopy.FILES) {
            target.create(file, out -> Files.copy(position.state().file(file), out));
        }
        target.createJson(TRAINING, json(position));
        List<String> names = names();
        removeAll(names.subList(0, Math.max(0, names.size() - keep)));
    }

    /** Checks that there is room for a checkpoint. */
    void requireRoom(Position position) {
        folder.requireRoom(position.state().bytes(), "set student.path to a folder on a larger disk");
    }

    private ObjectNode json(Position position) {
        ObjectNode json = HadoopFolder.JSON.createObjectNode();
        json.put("epoch", position.epoch()).put("round", position.round()).put("seconds", position.seconds());
        json.set("identity", identity);
        position.simd().forEach(json.putArray("simd")::add);
        ArrayNode history = json.putArray("history");
        for (StepLoss loss : position.history()) {
            history.addArray().add(loss.total()).add(loss.kl()).add(loss.crossEntropy()).add(loss.positions());
        }
        return json;
    }

    private void removeAll(List<String> names) {
        for (String name : names) {
            // TRAINING first: an object store deletes file by file.
            folder.delete(name + "/" + TRAINING);
            folder.delete(name);
        }
    }

    /**
     * Reads the newest checkpoint, if there is one.
     *
     * @param parent local parent of the folder for the copy of its state
     * @throws org.potstill.errors.UserException if it was made with other settings
     */
    Optional<Position> resume(TrainingOptions options, Path parent) {
        return newest().map(name -> {
            JsonNode json = folder.folder(name).readJson(TRAINING);
            Identity.firstDifference(identity, json.path("identity")).ifPresent(key -> {
                throw JobErrors.settingsDiffer("the unfinished student in " + folder.path(), key, TrainingSettings.said(identity, key),
                        TrainingSettings.said(json.path("identity"), key));
            });
            try (TemporaryFolder local = new TemporaryFolder()) {
                for (String file : StateCopy.FILES) {
                    folder.fetch(name + "/" + file, local.path().resolve(file));
                }
                return new Position(json.path("epoch").asInt(), json.path("round").asInt(),
                        StateCopy.read(local.path(), folder.path(name).toString(), options, parent),
                        history(json.path("history")), json.path("seconds").asDouble(), simd(json.path("simd")));
            }
        });
    }

    private static Set<String> simd(JsonNode json) {
        Set<String> simd = new TreeSet<>();
        json.forEach(width -> simd.add(width.asText()));
        return simd;
    }

    private static List<StepLoss> history(JsonNode json) {
        List<StepLoss> history = new ArrayList<>();
        json.forEach(l -> history.add(new StepLoss(l.path(0).asDouble(), l.path(1).asDouble(), l.path(2).asDouble(), l.path(3).asLong())));
        return history;
    }

    private Optional<String> newest() {
        List<String> names = names();
        return names.isEmpty() ? Optional.empty() : Optional.of(names.get(names.size() - 1));
    }

    /** Returns the names of the finished checkpoints, oldest first. */
    private List<String> names() {
        return folders().stream().filter(this::isFinished).toList();
    }

    private List<String> unfinished() {
        return folders().stream().filter(name -> !isFinished(name)).toList();
    }

    private List<String> folders() {
        return folder.names().stream().filter(n -> n.matches("step-\\d{8,10}")).toList();
    }

    private boolean isFinished(String name) {
        return folder.folder(name).has(TRAINING);
    }
}
