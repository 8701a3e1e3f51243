// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The folder of a table with a log (Delta, Hudi, Iceberg, Paimon), whose files may also hold deleted and replaced rows.
 *
 * @param named what it is, with its article: "a Delta table"
 * @param format by which Spark reads it
 * @param path  the folder
 */
record TableFolder(String named, String format, String path) {
    private static final Pattern OF_A_TABLE =
            Pattern.compile("(.*)/(?:(_delta_log)/.*|(\\.hoodie)/.*|((?:snapshot/snapshot|schema/schema)-\\d+)"
                    + "|metadata/[^/]*\\.metadata\\.json(?:\\.gz)?)");
    private static final Pattern BUCKET = Pattern.compile("bucket-\\d+");

    /** Finds the table that a file is a log of. */
    static Optional<TableFolder> ofLog(String path) {
        Matcher log = OF_A_TABLE.matcher(path);
        if (!log.matches()) {
            return Optional.empty();
        }
        String name = log.group(2) != null ? "Delta" : log.group(3) != null ? "Hudi" : log.group(4) != null ? "Paimon" : "Iceberg";
        return Optional.of(new TableFolder((name.startsWith("I") ? "an " : "a ") + name + " table", name.toLowerCase(Locale.ROOT), log.group(1)));
    }

    /**
     * Looks for a table that contains a file or folder, whose log is outside it.
     *
     * @param seen folders already examined; this one is added
     */
    static Optional<TableFolder> around(FileSystem fs, FileStatus part, Set<Path> seen) throws IOException {
        Path folder = part.isFile() ? part.getPath().getParent() : part.getPath();
        while ((PartitionFolder.is(folder) || BUCKET.matcher(folder.getName()).matches()) && folder.getParent() != null) {
            folder = folder.getParent();
        }
        if (!seen.add(folder)) {
            return Optional.empty();
        }
        List<Path> logs = new ArrayList<>();
        if (!folder.equals(part.getPath())) {
            logs.addAll(List.of(new Path(folder, "_delta_log"), new Path(folder, ".hoodie"), new Path(folder, "schema")));
        }
        if (folder.getName().equals("data") && folder.getParent() != null) {
            logs.add(new Path(folder.getParent(), "metadata"));
        }
        for (Path log : logs) {
            for (FileStatus file : PathPattern.children(fs, log)) {
                Optional<TableFolder> table = ofLog(file.getPath().toString());
                if (table.isPresent()) {
                    return table;
                }
            }
        }
        return Optional.empty();
    }
}
