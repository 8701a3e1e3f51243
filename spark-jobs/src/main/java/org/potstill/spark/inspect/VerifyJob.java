// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.LongAccumulator;
import org.potstill.errors.UserException;
import org.potstill.spark.Cluster;
import org.potstill.spark.Progress;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.inspect.Problem.Kind;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.teacher.EachTeacher;
import scala.Tuple2;

/** Verification of every row of a cache, and of a sample with the live teacher. Unreadable files do not stop it. */
public final class VerifyJob {
    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;
    private final Selection selection;
    private final int sample;

    /**
     * @param selection what to check
     * @param sample    rows per target specification that the configured teacher rescores; if 0, no teacher is needed, otherwise only
     *                  its labels are checked
     */
    public VerifyJob(SparkSession spark, Settings settings, Selection selection, int sample) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.selection = selection;
        this.sample = sample;
    }

    /** Returns one summary per teacher and target specification. */
    public List<VerifySummary> run() {
        Map<String, Rescoring> rescorings = rescorings();
        List<VerifySummary> summaries = new ArrayList<>();
        List<LabelStore> stores = new ArrayList<>();
        for (String folder : selection.folders(spark)) {
            try {
                LabelStore store = LabelStores.open(spark, selection.cache(), folder);
                // The priors, with which rows are decoded, must be intact, too.
                store.labels().codec();
                stores.add(store);
            } catch (UserException e) {
                Problems damaged = Problems.of(new Problem(Kind.DAMAGED_DESCRIPTION, folder, "", e.problem() + ": " + e.cause()));
                summaries.add(new VerifySummary(selection.cache() + "/" + folder, 0, 0, 0, null, damaged.counts(), damaged.examples(), null));
            }
        }
        List<LabelStore> meant = stores.stream()
                .filter(store -> rescorings.isEmpty() || rescorings.containsKey(store.labels().teacher())).toList();
        if (meant.isEmpty() && !rescorings.isEmpty()) {
            throw JobErrors.cacheOfAnotherTeacher(selection.cache(), String.join(" and ", rescorings.keySet()),
                    stores.stream().map(store -> store.labels().teacher()).toList());
        }
        meant.forEach(store -> summaries.add(verify(store, rescorings.get(store.labels().teacher()))));
        return summaries;
    }

    /** Opens the teachers that score again, by fingerprint; none if there is no sample. */
    private Map<String, Rescoring> rescorings() {
        Map<String, Rescoring> rescorings = new LinkedHashMap<>();
        if (sample > 0) {
            EachTeacher.all(settings, ofOne -> new Rescoring(sc, ofOne)).forEach(rescoring -> rescorings.put(rescoring.fingerprint(), rescoring));
        }
        return rescorings;
    }

    private VerifySummary verify(LabelStore store, Rescoring rescoring) {
        Labels labels = store.labels();
        LabelFiles files = new LabelFiles(sc, store);
        Footers footers = files.footers();
        LongAccumulator tokens = sc.sc().longAccumulator("tokens verified");
        JavaRDD<CheckedFile> checked = files.map((path, hadoop) -> CheckedFile.of(labels, path, hadoop, tokens))
                .persist(StorageLevel.MEMORY_AND_DISK_SER());
        JavaPairRDD<String, KeyRows> keys = checked.flatMap(file -> file.rows().stream().map(row -> new KeyRows(file.path(), row)).iterator())
                .mapToPair(row -> new Tuple2<>(row.row().key(), row)).reduceByKey(KeyRows::plus).persist(StorageLevel.MEMORY_AND_DISK_SER());
        Problems problems = description(store);
        try (Progress progress = Progress.of("verify", footers.tokens(), sc.sc(), tokens)) {
            problems = problems.plus(checked.map(CheckedFile::problems).fold(Problems.NONE, Problems::plus));
        }
        problems = problems.plus(keys.values().filter(rows -> rows.other() != null).map(rows -> Problems.of(new Problem(Kind.DIFFERENT_DUPLICATES,
                LabelFiles.name(rows.path()), rows.row().key(), LabelFiles.name(rows.other()) + " has other tokens, soft targets or loss for it")))
                .fold(Problems.NONE, Problems::plus));
        Snapshot snapshot = snapshot(store, keys);
        problems = problems.plus(snapshot.problems());
        VerifySummary.Teacher teacher = null;
        if (rescoring != null) {
            Sample drawn = Sample.draw(keys, sample, settings.seed());
            List<Rescoring.Rescored> results = drawn.score(sc, labels, rescoring);
            problems = problems.plus(drawn.problems(results));
            teacher = Sample.summary(results);
        }
        long rows = checked.map(file -> (long) file.rows().size()).fold(0L, Long::sum);
        long positions = checked.map(file -> file.rows().stream().mapToLong(row -> row.tokens() - 1L).sum()).fold(0L, Long::sum);
        Cluster.release(checked);
        Cluster.release(keys);
        return new VerifySummary(store.folder().path().toString(), footers.files() + footers.unreadable().count(), rows, positions,
                snapshot.named(), problems.counts(), problems.examples(), teacher);
    }

    private static Problems description(LabelStore store) {
        String path = store.folder().path("tokenizer.json").toString();
        return problemOf(path, () -> store.tokenizer().fingerprint().equals(store.labels().tokenizer()) ? Problems.NONE
                : Problems.of(new Problem(Kind.DAMAGED_DESCRIPTION, path, "", "it is not the tokenizer of provenance.json")));
    }

    /** State of the current snapshot; {@code named}, its number of keys, is null if there is none. */
    private record Snapshot(Long named, Problems problems) {
    }

    private static Snapshot snapshot(LabelStore store, JavaPairRDD<String, KeyRows> keys) {
        if (!store.hasSnapshot()) {
            return new Snapshot(null, Problems.NONE);
        }
        String folder = store.folder().path("snapshots").toString();
        long[] named = new long[1];
        Problems problems = problemOf(folder, () -> {
            long said = store.currentSnapshot().path("sequences").asLong();
            long held = store.snapshot().count();
            if (held != said) {
                return Problems.of(new Problem(Kind.DAMAGED_DESCRIPTION, folder, "", "it has " + held + " sequences, current.json says " + said));
            }
            JavaPairRDD<String, String> wanted = store.snapshot().mapToPair(e -> new Tuple2<>(e.key(), e.document()))
                    .reduceByKey((one, other) -> one.compareTo(other) <= 0 ? one : other);
            named[0] = wanted.count();
            return wanted.leftOuterJoin(keys).filter(key -> !key._2()._2().isPresent()).map(key -> Problems.of(
                    new Problem(Kind.MISSING_ROW, "labels/", key._1(), "a sequence of the document " + key._2()._1())))
                    .fold(Problems.NONE, Problems::plus);
        });
        return new Snapshot(named[0], problems);
    }

    /** Runs a check and converts any exception into a problem. */
    private static Problems problemOf(String path, Supplier<Problems> check) {
        try {
            return check.get();
        } catch (UserException e) {
            return Problems.of(new Problem(Kind.DAMAGED_DESCRIPTION, path, "", e.problem() + ": " + e.cause()));
        } catch (Exception e) {
            // Scala code in Spark throws undeclared checked exceptions.
            return Problems.of(new Problem(Kind.DAMAGED_DESCRIPTION, path, "", LabelFiles.why(e)));
        }
    }
}
