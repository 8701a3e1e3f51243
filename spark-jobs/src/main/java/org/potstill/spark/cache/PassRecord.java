// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.UUID;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;

/** The record of a teacher's pass: its summary, versions and settings. */
public final class PassRecord {
    private PassRecord() {
    }

    /**
     * Adds a record.
     *
     * @param folder what the pass wrote to
     * @param spark  Spark's version
     */
    public static void write(HadoopFolder folder, Object summary, Settings settings, String spark) {
        ObjectNode record = HadoopFolder.JSON.createObjectNode().put("ended", Instant.now().toString())
                .put("potstill", Versions.potstill()).put("spark", spark);
        record.set("pass", HadoopFolder.JSON.valueToTree(summary));
        record.set("settings", settings.provenance());
        folder.folder("passes").writeJson(Instant.now().toEpochMilli() + "-" + UUID.randomUUID() + ".json", record);
    }
}
