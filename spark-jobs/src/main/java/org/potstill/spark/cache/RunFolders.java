package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.UUID;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;

/**
 * A table that every run writes anew, into a folder of its own. {@code current.json} names the one in force: runs at one
 * time never touch each other's files, and a reader sees a whole table, the old one or the new.
 */
final class RunFolders {
    private static final String CURRENT = "current.json";
    private static final Pattern RUN = Pattern.compile("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}");
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    private final HadoopFolder folder;

    RunFolders(HadoopFolder folder) {
        this.folder = folder;
    }

    boolean isPublished() {
        return folder.has(CURRENT);
    }

    /** What was published with the table. */
    ObjectNode current() {
        if (folder.readJson(CURRENT) instanceof ObjectNode json && RUN.matcher(json.path("run").asText()).matches()) {
            return json;
        }
        throw JobErrors.damagedJson(folder.path(CURRENT).toString(), "it names no run");
    }

    /** Where the table in force is. */
    String currentPath() {
        return path(current().path("run").asText());
    }

    /** A name for the folder of a run. */
    static String newRun() {
        return TIME.format(Instant.now()) + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    String path(String run) {
        return folder.path(run).toString();
    }

    /** Puts a run's table in force. @param about is kept with it */
    void publish(String run, ObjectNode about) {
        folder.writeJson(CURRENT, about.put("run", run));
    }

    /** The runs whose tables are not in force: earlier ones, unfinished ones, and those that are about to be published. */
    List<String> others() {
        String current = isPublished() ? current().path("run").asText() : "";
        return folder.names().stream().filter(name -> RUN.matcher(name).matches() && !name.equals(current)).toList();
    }

    /** When the last of a run's files was written, in milliseconds since 1970; when it began, if there is none. */
    long modified(String run) {
        long begin = TIME.parse(run.substring(0, run.indexOf('-')), Instant::from).toEpochMilli();
        return folder.folder(run).tree().stream().mapToLong(FileStatus::getModificationTime).reduce(begin, Math::max);
    }
}
