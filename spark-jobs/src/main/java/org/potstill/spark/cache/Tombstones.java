// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.errors.UserException;
import org.potstill.spark.cache.upkeep.CachePruning;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;

/**
 * The tombstones of a store: {@code replaced/ID.json} names files that have been replaced or dropped but may still exist. Readers skip
 * these files as soon as the tombstone appears; earlier readers can finish, since {@link CachePruning} deletes the files, and then
 * the tombstone, only after a retention period.
 */
public final class Tombstones {
    private static final String FOLDER = "replaced";
    /** Paths that a tombstone may name: relative to the store's folder, in a folder that may be deleted from. */
    private static final Pattern PATH = Pattern.compile("(labels|snapshots|quarantine)/[A-Za-z0-9][A-Za-z0-9._=-]{0,254}");

    private final HadoopFolder folder;

    /**
     * A tombstone.
     *
     * @param name  name of its file
     * @param since when it appeared, in milliseconds since 1970
     * @param paths hidden paths, relative to the store's folder
     */
    public record Tombstone(String name, long since, List<String> paths) {
    }

    Tombstones(HadoopFolder store) {
        this.folder = store.folder(FOLDER);
    }

    public List<Tombstone> all() {
        List<Tombstone> all = new ArrayList<>();
        for (FileStatus status : folder.list()) {
            String name = status.getPath().getName();
            if (!HadoopFolder.isIncoming(name) && name.endsWith(".json")) {
                try {
                    all.add(new Tombstone(name, status.getModificationTime(), paths(name)));
                } catch (UserException e) {
                    // If it is gone, it was pruned since it was listed, after the files that it names.
                    if (folder.has(name)) {
                        throw e;
                    }
                }
            }
        }
        return all;
    }

    private List<String> paths(String name) {
        List<String> paths = new ArrayList<>();
        for (JsonNode path : folder.readJson(name).path("paths")) {
            if (!PATH.matcher(path.asText()).matches()) {
                throw JobErrors.damagedJson(folder.path(name).toString(), "'" + path.asText() + "' is no path in this store");
            }
            paths.add(path.asText());
        }
        return paths;
    }

    /** Returns the paths, relative to the store's folder, that readers must skip. Call this before listing files. */
    public Set<String> hidden() {
        Set<String> hidden = new HashSet<>();
        all().forEach(tombstone -> hidden.addAll(tombstone.paths()));
        return hidden;
    }

    /** Returns an identifier of the current set of tombstones; empty if there are none. */
    String generation() {
        List<String> names = folder.names().stream().filter(name -> name.endsWith(".json")).toList();
        return names.isEmpty() ? "" : Sha256.of(String.join("\n", names));
    }

    /**
     * Hides these paths from readers.
     *
     * @return the tombstone's unique name
     */
    public String add(List<String> paths, String reason) {
        String name = UUID.randomUUID() + ".json";
        ObjectNode json = HadoopFolder.JSON.createObjectNode().put("reason", reason).put("at", Instant.now().toString());
        paths.forEach(json.putArray("paths")::add);
        folder.writeJson(name, json);
        return name;
    }

    public void delete(String name) {
        folder.delete(name);
    }
}
