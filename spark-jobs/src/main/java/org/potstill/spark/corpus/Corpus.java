package org.potstill.spark.corpus;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.io.LongWritable;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.mapreduce.lib.input.FileSplit;
import org.apache.hadoop.mapreduce.lib.input.TextInputFormat;
import org.apache.spark.api.java.JavaNewHadoopRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.spark.Cluster;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;
import scala.Tuple2;

/** Text from files, JSON lines or Parquet on any Hadoop path. A document that cannot be read becomes one with a problem. */
public final class Corpus {
    private enum Format { AUTO, TEXT, JSONL, PARQUET }

    private static final ObjectMapper JSON = new ObjectMapper();

    private final SparkSession spark;
    private final String path;
    private final Format format;
    private final Fields fields;

    /** What to read of a record, and how much of it at most. */
    private record Fields(String text, String id, int maxBytes) implements Serializable {
    }

    private record File(String path, long bytes) implements Serializable {
    }

    public Corpus(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.path = settings.required("corpus.path");
        this.format = settings.choice("corpus.format", Format.class);
        this.fields = new Fields(settings.required("corpus.text-field"), settings.string("corpus.id-field"),
                settings.integer("corpus.max-document-mib", 1, 1024) << 20);
    }

    public String path() {
        return path;
    }

    /** @throws org.potstill.errors.UserException when there is no file, or files of formats that do not mix */
    public JavaRDD<Document> documents() {
        List<FileStatus> files = list();
        Format resolved = format == Format.AUTO ? formatOf(files) : format;
        return switch (resolved) {
            case JSONL -> jsonLines(files);
            case PARQUET -> parquet(files);
            default -> textFiles(files);
        };
    }

    private List<FileStatus> list() {
        try {
            Path pattern = new Path(path);
            FileSystem fs = pattern.getFileSystem(spark.sparkContext().hadoopConfiguration());
            FileStatus[] matched = fs.globStatus(pattern);
            if (matched == null) {
                throw JobErrors.noSuchCorpus(path);
            }
            List<FileStatus> files = new ArrayList<>();
            for (FileStatus status : matched) {
                if (status.isFile()) {
                    files.add(status);
                    continue;
                }
                RemoteIterator<LocatedFileStatus> below = fs.listFiles(status.getPath(), true);
                while (below.hasNext()) {
                    LocatedFileStatus file = below.next();
                    if (!hidden(status.getPath(), file.getPath())) {
                        files.add(file);
                    }
                }
            }
            if (files.isEmpty()) {
                throw JobErrors.emptyCorpus(path);
            }
            files.sort((a, b) -> a.getPath().toString().compareTo(b.getPath().toString()));
            return files;
        } catch (IOException | IllegalArgumentException e) {
            throw JobErrors.missingCorpus(path, e);
        }
    }

    /** As Spark and Hive do: a name that begins with {@code _} or {@code .} is not data, nor is what lies below it. */
    private static boolean hidden(Path root, Path file) {
        for (Path at = file; at != null && !at.equals(root); at = at.getParent()) {
            if (at.getName().startsWith("_") || at.getName().startsWith(".")) {
                return true;
            }
        }
        return false;
    }

    private Format formatOf(List<FileStatus> files) {
        TreeSet<Format> formats = new TreeSet<>();
        TreeSet<String> endings = new TreeSet<>();
        for (FileStatus file : files) {
            String name = file.getPath().getName().toLowerCase(Locale.ROOT).replaceAll("\\.(gz|bz2|zst|lz4|snappy)$", "");
            String ending = name.contains(".") ? name.substring(name.lastIndexOf('.')) : "(none)";
            endings.add(ending);
            formats.add(switch (ending) {
                case ".jsonl", ".ndjson", ".json" -> Format.JSONL;
                case ".parquet" -> Format.PARQUET;
                default -> Format.TEXT;
            });
        }
        if (formats.size() > 1) {
            throw JobErrors.mixedCorpus(path, endings);
        }
        return formats.first();
    }

    private JavaRDD<Document> textFiles(List<FileStatus> files) {
        JavaSparkContext sc = new JavaSparkContext(spark.sparkContext());
        Broadcast<SerializableConfiguration> hadoop = Cluster.hadoop(sc);
        List<File> listed = files.stream().map(f -> new File(f.getPath().toString(), f.getLen())).toList();
        int partitions = Math.max(1, Math.min(listed.size(), Math.max(4 * sc.defaultParallelism(), listed.size() / 1000)));
        Fields limits = fields;
        return sc.parallelize(listed, partitions).map(file -> readText(file, hadoop.value().value(), limits.maxBytes()));
    }

    private static Document readText(File file, Configuration hadoop, int maxBytes) {
        if (file.bytes() > maxBytes) {
            return tooLong(file.path(), file.bytes(), maxBytes);
        }
        Path path = new Path(file.path());
        try (InputStream in = path.getFileSystem(hadoop).open(path)) {
            byte[] bytes = in.readNBytes(maxBytes + 1);
            return bytes.length > maxBytes ? tooLong(file.path(), bytes.length, maxBytes) : decode(file.path(), bytes);
        } catch (IOException e) {
            return Document.unusable(file.path(), "cannot be read: " + e.getMessage());
        }
    }

    private JavaRDD<Document> jsonLines(List<FileStatus> files) {
        JavaSparkContext sc = new JavaSparkContext(spark.sparkContext());
        Fields wanted = fields;
        String paths = String.join(",", files.stream().map(f -> f.getPath().toString().replace(",", "\\,")).toList());
        JavaNewHadoopRDD<LongWritable, Text> lines = (JavaNewHadoopRDD<LongWritable, Text>) sc.newAPIHadoopFile(
                paths, TextInputFormat.class, LongWritable.class, Text.class, sc.hadoopConfiguration());
        return lines.mapPartitionsWithInputSplit((split, records) ->
                readLines(((FileSplit) split).getPath().toString(), records, wanted), false).filter(document -> document != null);
    }

    private static Iterator<Document> readLines(String file, Iterator<Tuple2<LongWritable, Text>> records, Fields wanted) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return records.hasNext();
            }

            @Override
            public Document next() {
                Tuple2<LongWritable, Text> record = records.next();
                return readLine(file + ":" + record._1().get(), record._2(), wanted);
            }
        };
    }

    /** @return null for a blank line */
    private static Document readLine(String place, Text line, Fields wanted) {
        if (line.getLength() > wanted.maxBytes()) {
            return tooLong(place, line.getLength(), wanted.maxBytes());
        }
        Document raw = decode(place, Arrays.copyOf(line.getBytes(), line.getLength()));
        if (raw.problem() != null) {
            return raw;
        }
        if (raw.text().isBlank()) {
            return null;
        }
        try {
            JsonNode json = JSON.readTree(raw.text());
            JsonNode id = wanted.id().isEmpty() ? null : json.get(wanted.id());
            String name = id == null || id.isNull() ? place : id.asText();
            JsonNode text = json.get(wanted.text());
            return text != null && text.isTextual() ? Document.of(name, text.textValue())
                    : Document.unusable(name, "no text in the field '" + wanted.text() + "'");
        } catch (JsonProcessingException e) {
            return Document.unusable(place, "not JSON: " + e.getOriginalMessage());
        }
    }

    private JavaRDD<Document> parquet(List<FileStatus> files) {
        Dataset<Row> table = spark.read().parquet(files.stream().map(f -> f.getPath().toString()).toArray(String[]::new));
        List<String> columns = Arrays.asList(table.columns());
        for (String needed : fields.id().isEmpty() ? List.of(fields.text()) : List.of(fields.text(), fields.id())) {
            if (!columns.contains(needed)) {
                throw JobErrors.noSuchColumn(path, needed, columns);
            }
        }
        Column id = fields.id().isEmpty()
                ? functions.concat_ws(":", functions.col("_metadata.file_path"), functions.col("_metadata.row_index"))
                : table.col("`" + fields.id() + "`").cast("string");
        int maxBytes = fields.maxBytes();
        // As bytes, since Spark does not check that a Parquet string is UTF-8.
        return table.select(id, table.col("`" + fields.text() + "`").cast("binary")).javaRDD().map(row -> {
            String name = row.isNullAt(0) ? "(null)" : row.getString(0);
            if (row.isNullAt(1)) {
                return Document.unusable(name, "the text is null");
            }
            byte[] bytes = row.getAs(1);
            return bytes.length > maxBytes ? tooLong(name, bytes.length, maxBytes) : decode(name, bytes);
        });
    }

    private static Document decode(String id, byte[] bytes) {
        try {
            return Document.of(id, StandardCharsets.UTF_8.newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes)).toString());
        } catch (CharacterCodingException e) {
            return Document.unusable(id, "not UTF-8: " + e.getMessage());
        }
    }

    private static Document tooLong(String id, long bytes, int maxBytes) {
        return Document.unusable(id, bytes + " bytes are more than corpus.max-document-mib allows (" + maxBytes + ")");
    }
}
