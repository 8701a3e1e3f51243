// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.Cluster;
import org.potstill.spark.Progress;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.cache.PartCount;
import org.potstill.spark.cache.Quarantined;
import org.potstill.spark.cache.SeenCorpus;
import org.potstill.spark.cache.SeenPart;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.cache.Snapshots;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.CorpusPart;
import org.potstill.spark.corpus.Problems;
import org.potstill.spark.corpus.Responses;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The documents of the corpus, as a run knows them: those that it reads and tokenizes, and of parts that have not changed since the last run
 * ({@link TakenOver}) what that one recorded.
 */
final class SeenDocuments implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SeenDocuments.class);
    /** To be raised when the same files become other documents, or the same documents other sequences. */
    private static final int READER = 1;

    private final SparkSession spark;
    private final Tokenization tokenization;
    private final LabelJob.OpenedTeacher teacher;
    private final LabelStore store;
    private final Corpus corpus;
    private final TokenizerDefinition tokenizer;
    private final Responses responses;
    private final String fingerprint;
    private TakenOver taken = TakenOver.NONE;
    private JavaRDD<TokenizedDocument> documents;
    private Map<Long, PartCount> counts;
    private SharedIds shared;

    /** @param corpus whose parts are found */
    SeenDocuments(SparkSession spark, Settings settings, Tokenization tokenization, LabelJob.OpenedTeacher teacher, LabelStore store, Corpus corpus) {
        this.spark = spark;
        this.tokenization = tokenization;
        this.teacher = teacher;
        this.store = store;
        this.corpus = corpus;
        this.tokenizer = store.tokenizer();
        this.responses = Responses.of(settings, tokenizer);
        Labels labels = teacher.labels();
        TokenizerDefinition given = teacher.tokenizer();
        this.fingerprint = Sha256.of(String.join("\n", "reader " + READER, Versions.potstill(), labels.teacher(), labels.tokenizer(), String.valueOf(labels.vocabSize()),
                labels.spec().name(), tokenization.toString(), Sha256.of(given.chatTemplate()), given.begin() + " " + given.end() + " " + given.stopIds() + " " + given.eosId(),
                settings.string("train.learn-from"), settings.string("train.response-start"), settings.string("train.response-end"), corpus.identity()));
    }

    /**
     * Reads and tokenizes what has changed since the last run.
     *
     * @param isFull whether to read all of it
     */
    void read(boolean isFull) {
        List<CorpusPart> parts = corpus.parts();
        taken = isFull ? TakenOver.NONE : TakenOver.of(store, corpus, parts, fingerprint);
        if (!taken.isEmpty()) {
            LOG.info("{} of {} files or tables of the corpus are as the last run saw them; {} are read", taken.parts().size(), parts.size(), reuse().read());
        }
        documents = tokenization.apply(corpus.read(part -> !taken.contains(part)), teacher.tokenizer(), teacher.labels().vocabSize())
                .persist(StorageLevel.MEMORY_AND_DISK_SER());
        try (Progress progress = corpus.progress()) {
            counts = PartCounts.of(documents, responses, tokenizer, corpus.namesIds());
        }
        if (!taken.isEmpty()) {
            PartCount earlier = taken.count();
            corpus.add(earlier.withId(), earlier.withoutId(), earlier.webPages());
            Problems problems = corpus.problems();
            taken.unusable().javaRDD().map(TakenOver::quarantined).foreach(document -> problems.add(document.document(), document.problem()));
        }
    }

    /** Returns what was read and what was not. */
    CorpusReuse reuse() {
        return new CorpusReuse(corpus.parts().size() - taken.parts().size(), taken.parts().size());
    }

    /** Whether no document had to be read. */
    boolean isNothing() {
        return taken.isAll();
    }

    /** Returns the documents that were read and are not held out. */
    JavaRDD<TokenizedDocument> training() {
        return documents.filter(document -> !document.heldOut());
    }

    PartCount count() {
        return counts.values().stream().reduce(taken.count(), PartCount::plus);
    }

    CorpusCount count(UnscoredSequences unscored) {
        return CorpusCount.of(documents, unscored).plus(CorpusCount.of(taken.count()));
    }

    JavaRDD<Quarantined> unusable() {
        JavaRDD<Quarantined> read = documents.filter(d -> d.problem() != null).map(d -> new Quarantined(d.id(), null, null, d.problem()));
        return taken.isEmpty() ? read : read.union(taken.unusable().javaRDD().map(TakenOver::quarantined));
    }

    /** Counts ids that several documents have, if the settings name a field with ids. */
    Optional<SharedIds> sharedIds() {
        if (corpus.namesIds() && shared == null) {
            shared = taken.isAll() ? SharedIds.of(taken.unchanged().shared()) : (taken.isEmpty() ? SharedIds.of(documents)
                    : SharedIds.ofIds(SharedIds.ids(documents).union(taken.ids().as(Encoders.STRING()).javaRDD()))).orElse(null);
        }
        return Optional.ofNullable(shared);
    }

    /** Checks that train has responses to learn from, if it is to learn from them. */
    void requireResponses() {
        if (!responses.isEverything()) {
            PartCount all = count();
            responses.require(all.marked() + all.unmarked(), all.unmarked());
        }
    }

    /** Identifies the snapshot of all sequences but those that the teacher could not score. */
    Snapshots.Draft draft(UnscoredSequences unscored) {
        JavaRDD<SnapshotEntry> entries = unscored.others(training());
        return taken.isAll() ? taken.rows() : taken.isEmpty() ? store.snapshots().draft(entries) : store.snapshots().draft(entries, taken.rows());
    }

    /** Returns the record for the next run; null if the corpus cannot be recognised. */
    SeenCorpus seen(Snapshots.Draft draft, UnscoredSequences unscored) {
        if (corpus.parts().isEmpty() || taken.isAll()) {
            return taken.unchanged();
        }
        Map<String, CorpusPart> now = new HashMap<>();
        // After the last time that a task read them.
        corpus.now(corpus.parts().stream().filter(part -> !taken.contains(part)).toList()).forEach(part -> now.put(part.path(), part));
        Set<Long> incomplete = unscored.parts(training());
        List<SeenPart> parts = new ArrayList<>();
        for (CorpusPart part : corpus.parts()) {
            PartCount count = counts.getOrDefault(part.number(), PartCount.NONE);
            CorpusPart after = now.get(part.path());
            boolean isSame = part.isSteady() && after != null && after.looksLike(part);
            parts.add(taken.contains(part) ? taken.parts().get(part.number())
                    : new SeenPart(isSame ? after : part, isSame && count.unread() == 0 && !incomplete.contains(part.number()), count));
        }
        SeenCorpus seen = new SeenCorpus(fingerprint, draft.labels(), parts, HadoopFolder.JSON.valueToTree(shared), withoutRows());
        return seen.hasDistinctNumbers() ? seen : null;
    }

    private Dataset<Row> withoutRows() {
        boolean withIds = corpus.namesIds();
        Dataset<Row> read = spark.createDataFrame(documents.filter(document -> document.problem() != null || withIds && (document.heldOut() || document.sequences().isEmpty()))
                .map(document -> RowFactory.create(document.origin().part(), document.id(), document.problem())), SeenCorpus.DOCUMENTS);
        return taken.isEmpty() ? read : read.union(taken.documents());
    }

    /** Frees the tokenized documents. */
    @Override
    public void close() {
        if (documents != null) {
            Cluster.release(documents);
        }
    }
}
