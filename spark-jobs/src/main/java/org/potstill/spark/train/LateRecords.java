// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.averaging.Stretch;

/**
 * Which workers rounds closed without, in {@code checkpoints/late/epoch-0001-round-00000123.json}: a file for each {@link Stretch}, named
 * by its first round. A run that resumes from a checkpoint closes the recorded rounds in the same way, and so comes to the same bytes.
 */
final class LateRecords {
    static final String FOLDER = "late";
    private static final String LATE = "late";

    private final HadoopFolder folder;
    private final String identity;
    private final int workers;
    private Stretch stretch;
    private List<List<Integer>> late = List.of();
    private int saved;

    /** @param identity of the run; records of another are of no use */
    LateRecords(HadoopFolder student, ObjectNode identity, int workers) {
        this.folder = student.folder(TrainingCheckpoints.FOLDER).folder(FOLDER);
        this.identity = Sha256.of(identity.toString());
        this.workers = workers;
    }

    /**
     * Returns the workers that each round of a stretch closed without, as far as recorded; {@link #save} saves what is added. A stretch
     * that has no record yet makes records of later ones void.
     *
     * @throws org.potstill.errors.UserException if the record is damaged
     */
    List<List<Integer>> of(Stretch next) {
        if (next.equals(stretch)) {
            return late;
        }
        stretch = next;
        JsonNode json = folder.has(name()) ? folder.readJson(name()) : HadoopFolder.JSON.createObjectNode();
        boolean isOfThis = isOurs(json) && json.path("end").asInt() == next.end();
        late = isOfThis ? read(json.path(LATE)) : new ArrayList<>();
        saved = late.size();
        if (!isOfThis) {
            folder.names().stream().filter(name -> name.compareTo(name()) >= 0).forEach(folder::delete);
        }
        return late;
    }

    private List<List<Integer>> read(JsonNode json) {
        List<List<Integer>> rounds = new ArrayList<>();
        int[] done = new int[workers];
        for (JsonNode round : json) {
            List<Integer> without = new ArrayList<>();
            round.forEach(worker -> without.add(worker.asInt(-1)));
            List<Integer> left = IntStream.range(0, workers).filter(w -> done[w] < stretch.end() - stretch.begin()).boxed().toList();
            List<Integer> taken = left.stream().filter(w -> !without.contains(w)).toList();
            if (taken.isEmpty() || taken.size() + without.size() != left.size() || new HashSet<>(without).size() != without.size()) {
                throw JobErrors.damagedJson(folder.path(name()).toString(), "round " + rounds.size() + " cannot have closed without the workers " + without);
            }
            taken.forEach(w -> done[w]++);
            rounds.add(without);
        }
        return rounds;
    }

    /** Saves what was added to the record of the stretch. */
    void save() {
        if (late.size() == saved) {
            return;
        }
        ObjectNode json = HadoopFolder.JSON.createObjectNode().put("identity", identity).put("epoch", stretch.epoch()).put("begin", stretch.begin())
                .put("end", stretch.end());
        json.set(LATE, HadoopFolder.JSON.valueToTree(late));
        folder.writeJson(name(), json);
        saved = late.size();
    }

    /** Returns all records, in order, of stretches with late workers. */
    ArrayNode all() {
        ArrayNode all = HadoopFolder.JSON.createArrayNode();
        for (String name : folder.names().stream().filter(n -> n.endsWith(".json") && !HadoopFolder.isIncoming(n)).toList()) {
            JsonNode record = folder.readJson(name);
            if (isOurs(record) && hasLate(record)) {
                ((ObjectNode) record).remove("identity");
                all.add(record);
            }
        }
        return all;
    }

    private boolean isOurs(JsonNode record) {
        return record.path("identity").asText().equals(identity);
    }

    private static boolean hasLate(JsonNode record) {
        boolean has = false;
        for (JsonNode round : record.path(LATE)) {
            has |= !round.isEmpty();
        }
        return has;
    }

    private String name() {
        return String.format(Locale.ROOT, "epoch-%04d-round-%08d.json", stretch.epoch() + 1, stretch.begin());
    }
}
