// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.api;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;

class PotstillTest {
    private static final StructType TEXTS = new StructType().add("id", DataTypes.StringType).add("text", DataTypes.StringType);

    @TempDir
    private static Path folder;
    private static SparkSession spark;
    private static Dataset<Row> texts;

    @BeforeAll
    static void fill() {
        spark = Distillery.spark();
        new Distillery(folder);
        texts = spark.createDataFrame(IntStream.range(0, 12).mapToObj(i -> RowFactory.create("d" + i, Distillery.text(i, 120))).toList(), TEXTS);
    }

    private static Map<String, String> conf(String... more) {
        Map<String, String> conf = new TreeMap<>();
        new Distillery(folder).settings().given().forEach(conf::put);
        conf.remove("corpus.path");
        conf.put("corpus.id-field", "id");
        for (int i = 0; i < more.length; i += 2) {
            conf.put(more[i], more[i + 1]);
        }
        return conf;
    }

    @Test
    void aSessionLabelsTrainsAndEvaluatesDataFramesAndGoesOn() {
        SparkSession active = SparkSession.active();
        Map<String, String> conf = conf("evaluate.speed-tokens", "0", "evaluate.texts", "0", "evaluate.max-tokens", "500");
        List<Row> labels = Potstill.label(spark, texts, conf).orderBy("document", "sequence").collectAsList();
        LabelStore store = LabelStores.find(spark, folder.resolve("cache").toString(), TargetSpec.topK(8), null);
        assertEquals(store.snapshot().count(), labels.size());
        Row first = labels.get(0);
        LabelledSequence stored = store.sequences().filter(row -> row.key().equals(first.getAs("key"))).first();
        assertArrayEquals(stored.tokens(), first.<Integer>getList(first.fieldIndex("tokens")).stream().mapToInt(id -> id).toArray());
        requireSame(store.labels().decode(stored, "the cache"), first.getList(first.fieldIndex("distributions")));
        assertEquals(0, Potstill.label(spark, texts, conf).select("key").except(spark.createDataFrame(labels, labels.get(0).schema()).select("key")).count());

        List<Row> steps = Potstill.train(spark, conf).collectAsList();
        assertTrue(steps.get(steps.size() - 1).<Double>getAs("kl") < steps.get(0).<Double>getAs("kl"), steps.toString());

        List<Row> scores = Potstill.evaluate(spark, texts, conf).where("model = 'teacher' and text = 'held-out documents'").collectAsList();
        assertEquals(1.0, scores.get(0).<Double>getAs("agreement"));
        String page = Potstill.report(spark, conf);
        assertTrue(page.contains("<html") && page.contains("Training"), page);

        assertFalse(spark.sparkContext().isStopped());
        assertEquals(active, SparkSession.active());
        assertFalse(spark.catalog().tableExists(Potstill.VIEW));
        assertEquals("", Potstill.progress());

        Dataset<Row> prompts = spark.createDataFrame(List.of(RowFactory.create("of oak", 1), RowFactory.create(null, 2)),
                new StructType().add("prompt", DataTypes.StringType).add("n", DataTypes.IntegerType));
        List<Row> texts = Potstill.generate(spark, prompts, folder.resolve("student").toString(),
                Map.of("max-new-tokens", "4", "temperature", "0", "teacher.scratch", folder.resolve("scratch").toString())).collectAsList();
        assertEquals(List.of("prompt", "n", "text"), List.of(texts.get(0).schema().fieldNames()));
        assertFalse(texts.get(0).<String>getAs("text").isEmpty());
        assertTrue(texts.get(1).isNullAt(2));
    }

    private static void requireSame(SoftTargets expected, List<Row> distributions) {
        assertEquals(expected.positions(), distributions.size());
        List<Integer> ids = new ArrayList<>();
        List<Float> probabilities = new ArrayList<>();
        distributions.forEach(position -> {
            ids.addAll(position.getList(0));
            probabilities.addAll(position.getList(1));
        });
        assertArrayEquals(expected.ids(), ids.stream().mapToInt(id -> id).toArray());
        for (int i = 0; i < probabilities.size(); i++) {
            assertEquals(expected.probabilities()[i], probabilities.get(i));
        }
    }

    @Test
    void whatTheUserCanFixIsSaidAsOnTheCommandLine() {
        assertTrue(refused(conf("corpus.path", "/x")).getMessage().contains("DataFrame"));
        assertTrue(refused(conf("targets.kk", "3")).getMessage().contains("targets.k"));
        Map<String, String> none = conf();
        none.remove("teacher.path");
        assertTrue(refused(none).getMessage().contains("'teacher.path' is not set"));
        assertTrue(refused(conf("teacher.path", "/nosuch")).getMessage().contains("/nosuch"));
        UserException other = assertThrows(UserException.class, () -> Potstill.label(spark.newSession(), texts, conf()));
        assertTrue(other.problem().contains("another Spark session"));
        UserException prompts = assertThrows(UserException.class, () -> Potstill.generate(spark, texts, "/nosuch", Map.of()));
        assertTrue(prompts.problem().contains("'prompt'"), prompts.getMessage());
    }

    private static UserException refused(Map<String, String> conf) {
        return assertThrows(UserException.class, () -> Potstill.label(spark, texts, conf));
    }
}
