// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.storage.HadoopFolder;

/**
 * The record of what a label run saw, in the folder of its snapshot:
 *
 * <pre>
 * _corpus/parts/       Parquet: a {@link SeenPart} per row, as JSON
 *         documents/   Parquet: documents without a place in the snapshot, with the reason if they cannot be used
 *         record.json  version and identity; written last
 * </pre>
 *
 * <p>The snapshot's rows name their part.
 *
 * @param fingerprint identity of all that determines which rows a part has, apart from its content
 * @param labels      see {@link LabelFiles#digest}: files in which the labels of all rows were found
 * @param parts       of the corpus, sorted by path
 * @param shared      what the run found out of ids that several documents have
 * @param documents   rows of {@link #DOCUMENTS}
 */
public record SeenCorpus(String fingerprint, String labels, List<SeenPart> parts, JsonNode shared, Dataset<Row> documents) {
    /** Columns of {@link #documents}. */
    public static final StructType DOCUMENTS = new StructType()
            .add(Snapshots.PART, DataTypes.LongType, false)
            .add("document", DataTypes.StringType, false)
            .add("problem", DataTypes.StringType, true);
    private static final StructType PARTS = new StructType().add("part", DataTypes.StringType, false);
    private static final int VERSION = 1;
    private static final String FOLDER = "_corpus";
    private static final String RECORD = "record.json";
    private static final int PARTS_PER_FILE = 100_000;
    private static final int DOCUMENT_FILES = 64;
    private static final ObjectMapper JSON = new ObjectMapper();

    public SeenCorpus {
        parts = parts.stream().sorted(Comparator.comparing(seen -> seen.part().path())).toList();
    }

    /** Whether rows and documents tell all parts apart. */
    public boolean hasDistinctNumbers() {
        return parts.stream().mapToLong(seen -> seen.part().number()).distinct().count() == parts.size();
    }

    /** Writes the record, before the snapshot is published. */
    void write(SparkSession spark, HadoopFolder run) {
        HadoopFolder folder = run.folder(FOLDER);
        List<String> lines = lines();
        spark.createDataset(lines, Encoders.STRING()).toDF("part").coalesce(1 + lines.size() / PARTS_PER_FILE).write().parquet(folder.path("parts").toString());
        documents.coalesce(DOCUMENT_FILES).write().parquet(folder.path("documents").toString());
        ObjectNode record = JSON.createObjectNode().put("version", VERSION).put("identity", identity(lines)).put("fingerprint", fingerprint).put("labels", labels)
                .put("documents", LabelStore.read(spark, DOCUMENTS, folder.path("documents").toString()).count());
        record.set("shared", shared);
        folder.writeJson(RECORD, record);
    }

    /** Whether another record says the same. */
    boolean isLike(SeenCorpus other) {
        return identity(lines()).equals(other.identity(other.lines()));
    }

    private List<String> lines() {
        return parts.stream().map(SeenCorpus::line).toList();
    }

    private static String line(SeenPart part) {
        try {
            return JSON.writeValueAsString(part);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private String identity(List<String> lines) {
        return identity(fingerprint, labels, lines);
    }

    private static String identity(String fingerprint, String labels, List<String> lines) {
        return Sha256.of(fingerprint + "\n" + labels + "\n" + String.join("\n", lines));
    }

    /** Whether a run's folder has a record of any version. */
    static boolean exists(HadoopFolder run) {
        return run.folder(FOLDER).has(RECORD);
    }

    /**
     * Reads a record.
     *
     * @throws Exception if it is damaged or of another version
     */
    static SeenCorpus read(SparkSession spark, HadoopFolder run) throws Exception {
        HadoopFolder folder = run.folder(FOLDER);
        JsonNode record = folder.readJson(RECORD);
        if (record.path("version").asInt() != VERSION) {
            throw new IllegalStateException("its version is " + record.path("version"));
        }
        List<SeenPart> parts = new ArrayList<>();
        for (Row line : LabelStore.read(spark, PARTS, folder.path("parts").toString()).collectAsList()) {
            parts.add(JSON.readValue(line.getString(0), SeenPart.class));
        }
        Dataset<Row> documents = LabelStore.read(spark, DOCUMENTS, folder.path("documents").toString());
        SeenCorpus read = new SeenCorpus(record.path("fingerprint").asText(), record.path("labels").asText(), parts, record.path("shared"), documents);
        if (!read.identity(read.lines()).equals(record.path("identity").asText()) || documents.count() != record.path("documents").asLong(-1)) {
            throw new IllegalStateException("its tables are not those that it names");
        }
        return read;
    }
}
