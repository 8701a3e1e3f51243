// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.spark.Cluster;
import org.potstill.spark.Plans;
import org.potstill.spark.Progress;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.settings.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The documents of text, JSON lines or Parquet files on any Hadoop path, of a table, of a query, or of another source that Spark reads. An
 * unreadable document or file becomes a document with a problem.
 */
public final class Corpus {
    private static final Logger LOG = LoggerFactory.getLogger(Corpus.class);
    private static final long SHOWN = 64L << 20;

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;
    private final CorpusSource source;
    private final Reading reading;
    private final ReadCounts counts;
    private long bytes;
    private SortedMap<String, String> versions = new TreeMap<>();
    private CorpusListing listing;
    private TableRows rows;
    private List<CorpusPart> parts = List.of();

    public Corpus(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.source = CorpusSource.of(settings);
        this.reading = Reading.of(settings);
        this.counts = ReadCounts.register(sc.sc());
    }

    /** Checks the settings that say where the corpus is, if any does. */
    public static void check(Settings settings) {
        if (isNamed(settings)) {
            CorpusSource.of(settings);
        }
    }

    /** Whether the settings say where a corpus is. */
    public static boolean isNamed(Settings settings) {
        return settings.has("corpus.path");
    }

    /** Names it as messages do: a path, a table or a query. */
    public String name() {
        return source.name();
    }

    /** Names it without its place: the last part of a path. */
    public String shortName() {
        return source.shortName();
    }

    /** Returns the settings that say where it is and, once its documents are read, the versions of its tables, as far as they have any. */
    public ObjectNode provenance() {
        ObjectNode said = source.provenance();
        if (!versions.isEmpty()) {
            versions.forEach(said.putObject("corpus.versions")::put);
        }
        return said;
    }

    /** Returns the most common reasons why documents read so far cannot be used. */
    public Problems problems() {
        return counts.problems();
    }

    /** Logs warnings about documents read so far. */
    public void warnOfProblems() {
        if (!problems().isZero()) {
            LOG.warn("unusable documents of the corpus {}: {}", name(), problems().value());
        }
        warnOfDocuments();
    }

    /** Whether the user named a field with the documents' ids, so that several may have the same. */
    public boolean namesIds() {
        return !reading.idField().isEmpty();
    }

    /**
     * Checks that documents read so far have the id that corpus.id-field names; warns if some have none, and of web pages.
     *
     * @throws org.potstill.errors.UserException if none has
     */
    public void requireIds() {
        if (counts.withId().isZero() && !counts.withoutId().isZero()) {
            throw CorpusErrors.noIds(name(), reading.idField(), counts.withoutId().sum(), otherIds());
        }
        warnOfDocuments();
    }

    /** Says what the id of a document without one is. */
    private String otherIds() {
        return source.isRows() ? "a hash of the text" : "file and position";
    }

    /** Returns the number of documents read so far that are web pages or XML. */
    long webPages() {
        return counts.webPages().sum();
    }

    private void warnOfDocuments() {
        if (!counts.webPages().isZero()) {
            LOG.warn("web pages and XML among the documents of the corpus {}: {}; their markup is part of the text: extract the text first if "
                    + "that is not meant", name(), webPages());
        }
        if (!counts.withoutId().isZero()) {
            LOG.warn("{} of {} documents of the corpus {} have no id in '{}' (corpus.id-field); instead, {} is their id",
                    counts.withoutId().sum(), counts.withId().sum() + counts.withoutId().sum(), name(), reading.idField(), otherIds());
        }
    }

    /**
     * Checks that documents can be used, and that not too many cannot.
     *
     * @param unusable   number of documents that cannot be used
     * @param limit      maximum share of these
     * @param reasons    why they cannot be used
     * @param quarantine path of their list
     * @throws org.potstill.errors.UserException otherwise
     */
    public void requireUsable(long documents, long unusable, double limit, Supplier<String> reasons, String quarantine) {
        if (unusable == documents) {
            throw CorpusErrors.noUsableDocument(name(), reasons.get() + "; the quarantine lists all: " + quarantine);
        }
        if (unusable > limit * documents) {
            throw CorpusErrors.tooManyBadDocuments(unusable, documents, limit, reasons.get(), quarantine);
        }
    }

    /**
     * Starts a progress display of reading.
     *
     * @return null if the corpus is too small for one, or its size is not known
     */
    public Progress progress() {
        return bytes < SHOWN ? null : Progress.ofBytes("read", bytes, sc.sc(), counts.bytes());
    }

    /**
     * Counts the rows for which the same conditions hold.
     *
     * @param conditions of teachers, SQL, by the teacher's name
     * @return numbers of rows by the names, sorted, of the conditions that hold
     * @throws org.potstill.errors.UserException if Spark cannot read the source or does not understand a condition
     */
    public Map<List<String>, Long> countByConditions(SortedMap<String, String> conditions) {
        return new TeacherConditions(source, conditions).count(spark);
    }

    /**
     * Finds the files or the table and reads the documents.
     *
     * @throws org.potstill.errors.UserException if there are no files, or files of several formats, or Spark cannot read the source
     */
    public JavaRDD<Document> documents() {
        find();
        return read(part -> true);
    }

    /**
     * Finds the files or the table, and reads nothing yet.
     *
     * @throws org.potstill.errors.UserException as {@link #documents()}
     */
    public void find() {
        if (source.isRows()) {
            findRows();
        } else {
            findFiles();
        }
    }

    /** Returns the parts found that can be recognised later: the files, or the table if all of it has versions; empty if none can. */
    public List<CorpusPart> parts() {
        return parts;
    }

    /** Reads the documents of some of the parts that {@link #find} found; of a corpus without parts, all documents. */
    public JavaRDD<Document> read(Predicate<CorpusPart> wanted) {
        return !parts.isEmpty() && parts.stream().noneMatch(wanted) ? sc.emptyRDD() : source.isRows() ? rows.documents(counts, parts.isEmpty() ? 0 : parts.get(0).number())
                : ofFiles(wanted);
    }

    /** Whether {@link #now} samples a part. */
    public boolean isSampled(CorpusPart part) {
        return part.isSampled(parts.size());
    }

    /**
     * Looks at parts that {@link #find} found again.
     *
     * @return these parts as they are now, with their samples; without those that are gone or cannot be read
     */
    public List<CorpusPart> now(List<CorpusPart> found) {
        return source.isRows() ? parts(new TableRows(spark, source, reading)) : FileSample.now(sc, found, parts.size());
    }

    /** Adds what an earlier run counted in documents that this one does not read. */
    public void add(long withId, long withoutId, long webPages) {
        add(counts.withId(), withId);
        add(counts.withoutId(), withoutId);
        add(counts.webPages(), webPages);
    }

    /** An accumulator to which 0 was added is not zero. */
    private static void add(LongAccumulator counter, long number) {
        if (number > 0) {
            counter.add(number);
        }
    }

    /** Identifies the settings by which the corpus, once it is found, becomes documents. */
    public String identity() {
        return String.join("\n", settings.string("corpus.text-field"), settings.string("corpus.id-field"), settings.string("corpus.separator"),
                settings.string("corpus.max-document-mib"), settings.string("corpus.conversations"), source.isRows() ? "rows" : listing.format().setting());
    }

    /** Returns a table whose plan names what the documents are read from, for listeners that look at plans. */
    public Dataset<Row> plan() {
        return source.isRows() ? new TableRows(spark, source, reading).rows() : Plans.files(spark, source.path());
    }

    private void findRows() {
        rows = new TableRows(spark, source, reading);
        versions = TableVersions.of(rows.rows());
        parts = parts(rows);
        LOG.info("the corpus: {}{}", name(), versions.isEmpty() ? "" : ", " + versions);
    }

    /** Returns the table as the only part, if all that is read of it has a version. */
    private List<CorpusPart> parts(TableRows found) {
        return !source.query().isBlank() || !source.options().isEmpty() ? List.of()
                : TableIdentity.of(found.rows(), sc.hadoopConfiguration()).map(version -> CorpusPart.of(name(), source.where(), version)).stream().toList();
    }

    private void findFiles() {
        long begin = System.currentTimeMillis();
        listing = CorpusListing.of(source.path(), source.fileFormat().orElse(null), settings, sc);
        if (listing.format() == FileFormat.PARQUET) {
            requireColumns(listing.files());
        }
        parts = listing.files().stream().map(file -> CorpusPart.of(file, begin)).toList();
    }

    private JavaRDD<Document> ofFiles(Predicate<CorpusPart> wanted) {
        List<CorpusFile> files = IntStream.range(0, parts.size()).filter(i -> wanted.test(parts.get(i))).mapToObj(listing.files()::get).toList();
        bytes = files.stream().mapToLong(CorpusFile::bytes).sum();
        List<List<Piece>> tasks = Piece.tasks(files, listing.format(), reading.isDivisible(listing.format()), Cluster.taskSlots(sc));
        Broadcast<SerializableConfiguration> hadoop = Cluster.hadoop(sc);
        Reading how = reading;
        ReadCounts counted = counts;
        return sc.parallelize(tasks, tasks.size()).flatMap(pieces -> new Documents(pieces, how, hadoop.value().value(), counted));
    }

    /** Rejects a corpus whose first, middle and last file all lack the columns; if only some lack them, reading finds out. */
    private void requireColumns(List<CorpusFile> files) {
        Configuration hadoop = sc.hadoopConfiguration();
        Unreadable why = null;
        CorpusFile lacking = null;
        for (int i : IntStream.of(0, files.size() / 2, files.size() - 1).distinct().toArray()) {
            try {
                ParquetColumns columns = ParquetSource.columns(files.get(i), hadoop);
                try {
                    columns.require(reading, files.get(i).path());
                    return;
                } catch (Unreadable e) {
                    why = e;
                    lacking = files.get(i);
                }
            } catch (IOException | RuntimeException e) {
                return;
            }
        }
        throw CorpusErrors.noSuchColumn(name(), reading.named(), why.getMessage() + " (in " + lacking.path() + ")");
    }
}
