// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.distil;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.StudentFolder;

/**
 * A record, in {@code finished.json} beside the student, of the finished steps of {@code distil} that leave no identity of their
 * own: which step, for which student, with which settings.
 */
public final class FinishedSteps {
    private static final String FILE = "finished.json";

    private final Settings settings;
    private final HadoopFolder folder;

    public FinishedSteps(Settings settings, Configuration hadoop) {
        this.settings = settings;
        this.folder = new HadoopFolder("student", settings.required("student.path"), hadoop);
    }

    /** Whether the step was finished for the current student with the current settings. */
    public boolean contains(String step) {
        return folder.has(FILE) && folder.readJson(FILE).path(step).asText().equals(identity(step));
    }

    public void add(String step) {
        ObjectNode all = folder.has(FILE) ? (ObjectNode) folder.readJson(FILE) : HadoopFolder.JSON.createObjectNode();
        folder.writeJson(FILE, all.put(step, identity(step)));
    }

    private String identity(String step) {
        JsonNode said = settings.provenance();
        StringBuilder all = new StringBuilder(new StudentFolder(folder).provenance().toString());
        for (String section : List.of(step, "corpus", "teacher", "report", "seed", "sequence-length")) {
            all.append('\n').append(said.path(section));
        }
        if (!settings.teachers().isEmpty()) {
            all.append('\n').append(said.path("teachers"));
        }
        return Sha256.of(all.toString());
    }
}
