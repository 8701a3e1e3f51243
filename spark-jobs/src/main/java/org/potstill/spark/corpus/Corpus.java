// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.spark.Cluster;
import org.potstill.spark.Progress;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.settings.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The documents of text, JSON lines or Parquet files on any Hadoop path. An unreadable document or file becomes a document with a
 * problem.
 */
public final class Corpus {
    private enum Format { AUTO, TEXT, JSONL, PARQUET }

    private static final Logger LOG = LoggerFactory.getLogger(Corpus.class);
    private static final long SHOWN = 64L << 20;

    private final JavaSparkContext sc;
    private final Settings settings;
    private final String path;
    private final FileFormat format;
    private final Reading reading;
    private final Problems problems = new Problems();
    private final LongAccumulator bytesRead;
    private final LongAccumulator withId;
    private final LongAccumulator withoutId;
    private final LongAccumulator webPages;
    private long bytes;

    public Corpus(SparkSession spark, Settings settings) {
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.path = settings.required("corpus.path");
        Format told = settings.choice("corpus.format", Format.class);
        this.format = told == Format.AUTO ? null : FileFormat.valueOf(told.name());
        this.reading = Reading.of(settings);
        this.bytesRead = sc.sc().longAccumulator();
        this.withId = sc.sc().longAccumulator();
        this.withoutId = sc.sc().longAccumulator();
        this.webPages = sc.sc().longAccumulator();
        sc.sc().register(problems);
    }

    public String path() {
        return path;
    }

    /** Returns the most common reasons why documents read so far cannot be used. */
    public Problems problems() {
        return problems;
    }

    /** Logs warnings about documents read so far. */
    public void warnOfProblems() {
        if (!problems.isZero()) {
            LOG.warn("unusable documents of the corpus {}: {}", path, problems.value());
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
        if (withId.isZero() && !withoutId.isZero()) {
            throw CorpusErrors.noIds(path, reading.idField(), withoutId.sum());
        }
        warnOfDocuments();
    }

    /** Returns the number of documents read so far that are web pages or XML. */
    long webPages() {
        return webPages.sum();
    }

    private void warnOfDocuments() {
        if (!webPages.isZero()) {
            LOG.warn("web pages and XML among the documents of the corpus {}: {}; their markup is part of the text: extract the text first if "
                    + "that is not meant", path, webPages.sum());
        }
        if (!withoutId.isZero()) {
            LOG.warn("{} of {} documents of the corpus {} have no id in '{}' (corpus.id-field); their file and position in it are used instead",
                    withoutId.sum(), withId.sum() + withoutId.sum(), path, reading.idField());
        }
    }

    /**
     * Starts a progress display of reading.
     *
     * @return null if the corpus is too small for one
     */
    public Progress progress() {
        return bytes < SHOWN ? null : Progress.ofBytes("read", bytes, sc.sc(), bytesRead);
    }

    /**
     * Lists the files and reads their documents.
     *
     * @throws org.potstill.errors.UserException if there are no files, or files of several formats
     */
    public JavaRDD<Document> documents() {
        CorpusListing listing = CorpusListing.of(path, format, settings, sc);
        if (listing.format() == FileFormat.PARQUET) {
            requireColumns(listing.files());
        }
        bytes = listing.files().stream().mapToLong(CorpusFile::bytes).sum();
        List<List<Piece>> tasks = Piece.tasks(listing.files(), listing.format(), reading.isDivisible(listing.format()), Cluster.taskSlots(sc));
        Broadcast<SerializableConfiguration> hadoop = Cluster.hadoop(sc);
        Reading how = reading;
        Problems found = problems;
        LongAccumulator read = bytesRead;
        LongAccumulator named = withId;
        LongAccumulator unnamed = withoutId;
        LongAccumulator pages = webPages;
        return sc.parallelize(tasks, tasks.size()).flatMap(pieces -> new Documents(pieces, how, hadoop.value().value(), found, read,
                named, unnamed, pages));
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
        throw CorpusErrors.noSuchColumn(path, reading.named(), why.getMessage(), lacking.path());
    }
}
