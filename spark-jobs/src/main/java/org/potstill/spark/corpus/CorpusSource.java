// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.settings.TeacherSections;
import org.potstill.spark.storage.HadoopFolder;

/**
 * Where the documents come from: files that Potstill reads itself, or rows that Spark reads. Of path, table and query one is set; only a
 * source that options describe needs no path.
 *
 * @param path    files
 * @param table   name of a table
 * @param query   SQL
 * @param format  of the files, in lower case: {@code auto}, a {@link FileFormat} or the name of a Spark source
 * @param options of the Spark source, which may hold secrets
 * @param where   SQL predicate of the rows to read; empty for all
 */
record CorpusSource(String path, String table, String query, String format, Map<String, String> options, String where) {
    private static final Set<String> OURS = Set.of("auto", "text", "jsonl", "parquet");
    private static final int SHOWN = 80;

    static CorpusSource of(Settings settings) {
        CorpusSource source = new CorpusSource(settings.string("corpus.path"), settings.string("corpus.table"), settings.string("corpus.query"),
                settings.string("corpus.format").trim().toLowerCase(Locale.ROOT), settings.sourceOptions(), settings.string("corpus.where"));
        List<String> set = new ArrayList<>(List.of("corpus.path", "corpus.table", "corpus.query"));
        set.removeIf(key -> settings.string(key).isBlank());
        if (set.size() > 1) {
            settings.reject(set.get(1), set.get(0) + " is set as well, and the corpus is only one of them: set the other to \"\"");
        } else if (set.isEmpty() && source.options.isEmpty()) {
            settings.required("corpus.path");
        }
        if (!source.isRows()) {
            String remedy = " needs corpus.table, corpus.query, or a corpus.format that Spark reads, such as orc; for Parquet and JSON lines set "
                    + "corpus.query = \"select * from parquet.`/path` where ...\", or json.`/path`";
            TeacherSections.conditions(settings).keySet().forEach(name -> settings.reject("teachers." + name + ".where", "it" + remedy));
            if (!source.where.isBlank()) {
                settings.reject("corpus.where", "it" + remedy);
            } else if (!source.options.isEmpty()) {
                settings.reject("corpus.options", "they" + remedy.replace(" needs", " need"));
            }
        } else if (source.isPath() ? OURS.contains(source.format) : !source.format.equals("auto")) {
            settings.reject("corpus.format", source.isPath() ? "corpus.options need a format that Spark reads" : "it is for corpus.path; tables know their format");
        } else if (!source.query.isBlank() && !source.options.isEmpty()) {
            settings.reject("corpus.options", "they are for corpus.path and corpus.table; a query says everything itself");
        }
        return source;
    }

    /** Whether Spark reads it. */
    boolean isRows() {
        return !table.isBlank() || !query.isBlank() || !OURS.contains(format) || path.isBlank();
    }

    private boolean isPath() {
        return table.isBlank() && query.isBlank();
    }

    /** Returns the format of files that Potstill reads itself; empty to detect it by their extensions. */
    Optional<FileFormat> fileFormat() {
        return format.equals("auto") ? Optional.empty() : Optional.of(FileFormat.valueOf(format.toUpperCase(Locale.ROOT)));
    }

    /** Returns the rows, all columns of them. */
    Dataset<Row> load(SparkSession spark) {
        Dataset<Row> rows;
        if (!query.isBlank()) {
            rows = spark.sql(query);
        } else if (!table.isBlank()) {
            rows = spark.read().options(options).table(table);
        } else {
            var read = spark.read().format(format).options(options);
            rows = path.isBlank() ? read.load() : read.load(path);
        }
        return where.isBlank() ? rows : rows.where(where);
    }

    /** Names it as messages do. */
    String name() {
        String line = query.replaceAll("\\s+", " ").strip();
        return !table.isBlank() ? "table " + table : !query.isBlank() ? "query '" + (line.length() <= SHOWN ? line : line.substring(0, SHOWN) + "…") + "'"
                : path.isBlank() ? "format " + format : path;
    }

    /** Names it without its place: the last part of a path. */
    String shortName() {
        return isPath() && !path.isBlank() ? new Path(path).getName() : name();
    }

    /** Returns the settings that describe it, without options, which may hold secrets. */
    ObjectNode provenance() {
        ObjectNode said = HadoopFolder.JSON.createObjectNode();
        Map.of("corpus.path", path, "corpus.table", table, "corpus.query", query, "corpus.where", where, "corpus.format", isRows() && isPath() ? format : "")
                .entrySet().stream().filter(setting -> !setting.getValue().isBlank()).sorted(Map.Entry.comparingByKey())
                .forEach(setting -> said.put(setting.getKey(), setting.getValue()));
        return said;
    }

    /** Names the setting that says where the rows are. */
    String setting() {
        return !table.isBlank() ? "corpus.table" : !query.isBlank() ? "corpus.query" : "corpus.path and corpus.format";
    }
}
