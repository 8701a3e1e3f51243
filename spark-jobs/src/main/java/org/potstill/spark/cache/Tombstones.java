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
import org.potstill.checkpoints.Sha256;
import org.potstill.errors.UserException;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;

/**
 * What of a store is there no longer, though its files may be: {@code replaced/ID.json} names files that others have taken
 * the place of. Readers skip them from the moment that the tombstone appears; who read before goes on, since
 * {@link CachePruning} deletes the files, and the tombstone after them, a good while later.
 */
final class Tombstones {
    private static final String FOLDER = "replaced";
    /** Below the store's folder, in one of the folders that it may delete from. */
    private static final Pattern PATH = Pattern.compile("(labels|snapshots|quarantine)/[A-Za-z0-9][A-Za-z0-9._=-]{0,254}");

    private final HadoopFolder folder;

    /**
     * One of them.
     *
     * @param name  of its file
     * @param since when it appeared, in milliseconds since 1970
     * @param paths below the store's folder
     */
    record Tombstone(String name, long since, List<String> paths) {
    }

    Tombstones(HadoopFolder store) {
        this.folder = store.folder(FOLDER);
    }

    List<Tombstone> all() {
        List<Tombstone> all = new ArrayList<>();
        for (FileStatus status : folder.list()) {
            String name = status.getPath().getName();
            if (!HadoopFolder.isIncoming(name) && name.endsWith(".json")) {
                try {
                    all.add(new Tombstone(name, status.getModificationTime(), paths(name)));
                } catch (UserException e) {
                    // Pruned since it was listed, after the files that it names.
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

    /** Paths, below the store's folder, that readers are to skip. List these first, and then what is there. */
    Set<String> hidden() {
        Set<String> hidden = new HashSet<>();
        all().forEach(tombstone -> hidden.addAll(tombstone.paths()));
        return hidden;
    }

    /** Names all that there are now: another one for other tombstones, and empty for none. */
    String generation() {
        List<String> names = folder.names().stream().filter(name -> name.endsWith(".json")).toList();
        return names.isEmpty() ? "" : Sha256.of(String.join("\n", names));
    }

    /**
     * Hides these paths from readers.
     *
     * @return its name, which no other ever has
     */
    String add(List<String> paths, String reason) {
        String name = UUID.randomUUID() + ".json";
        ObjectNode json = HadoopFolder.JSON.createObjectNode().put("reason", reason).put("at", Instant.now().toString());
        paths.forEach(json.putArray("paths")::add);
        folder.writeJson(name, json);
        return name;
    }

    void delete(String name) {
        folder.delete(name);
    }
}
