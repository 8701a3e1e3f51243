// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.cache.TeacherMixture;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.errors.MixtureErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.settings.TeacherSections;
import org.potstill.spark.teacher.EachTeacher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The first pass with several teachers that share the corpus. Each labels the documents that its condition selects, exactly as a
 * {@link LabelJob} does with that teacher and that condition alone, into labels of its own in the cache. What can be known of all of them
 * is checked before the first one scores; their snapshots are published together, at the end.
 */
public final class MixtureLabelJob {
    private static final Logger LOG = LoggerFactory.getLogger(MixtureLabelJob.class);

    private final SparkSession spark;
    private final Settings settings;
    private final SortedMap<String, LabelJob> jobs = new TreeMap<>();

    public MixtureLabelJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.settings = settings;
    }

    /**
     * Runs the passes.
     *
     * @return what the report shows of them
     */
    public MixtureLabelSummary run() {
        requireOneTeacherPerDocument();
        for (String name : settings.teachers()) {
            jobs.put(name, EachTeacher.of(name, () -> new LabelJob(spark, settings.ofTeacher(name))));
        }
        try {
            return label();
        } finally {
            jobs.values().forEach(LabelJob::close);
        }
    }

    private MixtureLabelSummary label() {
        SortedMap<String, LabelJob.OpenedTeacher> teachers = new TreeMap<>();
        jobs.forEach((name, job) -> teachers.put(name, EachTeacher.of(name, job::open)));
        requireDistinct(teachers);
        SharedTokenizer tokenizer = SharedTokenizer.of(teachers);
        jobs.values().iterator().next().prefetch();
        each(LabelJob::read);
        tokenizer.otherTemplate().filter(name -> jobs.values().stream().anyMatch(LabelJob::hasConversations)).ifPresent(other -> {
            throw MixtureErrors.templatesDiffer(tokenizer.first(), other);
        });
        each(LabelJob::score);
        List<String> snapshots = jobs.entrySet().stream().map(job -> EachTeacher.of(job.getKey(), job.getValue()::draft)).toList();
        SortedMap<String, String> prints = new TreeMap<>();
        teachers.forEach((name, teacher) -> prints.put(name, teacher.labels().teacher()));
        TeacherMixture mixture = jobs.size() == 1 ? null : TeacherMixture.of(prints, snapshots);
        SortedMap<String, LabelSummary> summaries = new TreeMap<>();
        jobs.forEach((name, job) -> summaries.put(name, EachTeacher.of(name, () -> job.publish(mixture))));
        return MixtureLabelSummary.of(summaries);
    }

    private void each(Consumer<LabelJob> step) {
        jobs.forEach((name, job) -> EachTeacher.run(name, () -> step.accept(job)));
    }

    /** Counts the documents that each condition selects, and rejects those that no teacher or several would score. */
    private void requireOneTeacherPerDocument() {
        SortedMap<String, String> conditions = TeacherSections.conditions(settings);
        if (conditions.isEmpty()) {
            return;
        }
        Corpus corpus = new Corpus(spark, settings);
        Map<List<String>, Long> counts = corpus.countByConditions(conditions);
        long all = counts.values().stream().mapToLong(Long::longValue).sum();
        boolean isRest = conditions.size() < settings.teachers().size();
        counts.entrySet().stream().filter(held -> held.getKey().size() > 1).min(Comparator.comparing(held -> held.getKey().toString())).ifPresent(held -> {
            throw MixtureErrors.severalTeachers(corpus.name(), held.getValue(), all, held.getKey());
        });
        if (!isRest && counts.containsKey(List.of())) {
            throw MixtureErrors.noTeacher(corpus.name(), counts.get(List.of()), all, conditions.keySet());
        }
        for (String name : settings.teachers()) {
            long own = counts.getOrDefault(conditions.containsKey(name) ? List.of(name) : List.of(), 0L);
            if (own == 0) {
                throw MixtureErrors.noDocuments(corpus.name(), name, conditions.getOrDefault(name, ""), all);
            }
            LOG.info("{} of {} documents are for the teacher '{}'", own, all, name);
        }
    }

    private static void requireDistinct(SortedMap<String, LabelJob.OpenedTeacher> teachers) {
        Map<String, String> names = new HashMap<>();
        teachers.forEach((name, teacher) -> {
            String other = names.put(teacher.labels().teacher(), name);
            if (other != null) {
                throw MixtureErrors.sameTeacher(other, name);
            }
        });
    }
}
