// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.UUID;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;

/**
 * A table that every run rewrites into its own folder. {@code current.json} names the current one: concurrent runs never touch each
 * other's files, and a reader sees either the old or the new table, never a mixture.
 */
public final class RunFolders {
    private static final String CURRENT = "current.json";
    private static final Pattern RUN = Pattern.compile("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}");
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    private final HadoopFolder folder;

    public RunFolders(HadoopFolder folder) {
        this.folder = folder;
    }

    public boolean isPublished() {
        return folder.has(CURRENT);
    }

    /** Returns the data published with the current table. */
    public ObjectNode current() {
        if (folder.readJson(CURRENT) instanceof ObjectNode json && RUN.matcher(json.path("run").asText()).matches()) {
            return json;
        }
        throw JobErrors.damagedJson(folder.path(CURRENT).toString(), "it names no run");
    }

    /** Returns the path of the current table. */
    public String currentPath() {
        return path(current().path("run").asText());
    }

    /** Returns a new unique name for a run's folder. */
    public static String newRun() {
        return TIME.format(Instant.now()) + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    public String path(String run) {
        return folder.path(run).toString();
    }

    /**
     * Makes a run's table the current one.
     *
     * @param about data to store with it
     */
    public void publish(String run, ObjectNode about) {
        folder.writeJson(CURRENT, about.put("run", run));
    }

    /** Returns the runs whose tables are not current: earlier, unfinished and not yet published ones. */
    public List<String> others() {
        String current = isPublished() ? current().path("run").asText() : "";
        return folder.names().stream().filter(name -> RUN.matcher(name).matches() && !name.equals(current)).toList();
    }

    /** Returns when a run's last file was written, or when the run began if it has none, in milliseconds since 1970. */
    public long modified(String run) {
        long begin = TIME.parse(run.substring(0, run.indexOf('-')), Instant::from).toEpochMilli();
        return folder.folder(run).tree().stream().mapToLong(FileStatus::getModificationTime).reduce(begin, Math::max);
    }
}
