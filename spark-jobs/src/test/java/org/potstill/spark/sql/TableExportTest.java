// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.sql;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.delta.sql.DeltaSparkSessionExtension;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.upkeep.CacheCompaction;
import org.potstill.spark.corpus.Lakehouse;
import org.potstill.spark.label.LabelJob;

/** Soft labels in tables, and decoded by SQL. */
class TableExportTest {
    @TempDir
    private static Path folder;
    private static Lakehouse lakehouse;
    private static Distillery distillery;

    @BeforeAll
    static void label() {
        lakehouse = new Lakehouse(folder);
        distillery = new Distillery(folder);
        label("targets.k=8");
        label("targets.k=4", "targets.draws=6");
        // The old files are hidden, and their rows are in a new one, too.
        new CacheCompaction(lakehouse.spark(), 1 << 20).compact(store(TargetSpec.topK(8)));
        PotstillExtensions.register(lakehouse.spark());
    }

    @AfterAll
    static void close() {
        lakehouse.close();
    }

    private static void label(String... settings) {
        new LabelJob(lakehouse.spark(), distillery.settings(settings)).run();
    }

    private static LabelStore store(TargetSpec spec) {
        return LabelStores.find(lakehouse.spark(), distillery.path("cache").toString(), spec, null);
    }

    private static LabelStore drawn() {
        return store(TargetSpec.topKAndSystematic(4, 6, 0));
    }

    private static Map<String, SoftTargets> expected(LabelStore store) {
        return store.sequences().collect().stream().collect(Collectors.toMap(LabelledSequence::key, row -> store.labels().decode(row, "cache")));
    }

    private static void requireSame(SoftTargets expected, Row row) {
        List<Row> positions = row.getList(row.fieldIndex("distributions"));
        assertEquals(expected.positions(), positions.size());
        for (int t = 0; t < positions.size(); t++) {
            List<Integer> ids = positions.get(t).getList(0);
            List<Float> probabilities = positions.get(t).getList(1);
            int begin = expected.begin(t);
            assertEquals(expected.end(t) - begin, ids.size());
            for (int i = 0; i < ids.size(); i++) {
                assertEquals(expected.ids()[begin + i], ids.get(i));
                assertEquals(expected.probabilities()[begin + i], probabilities.get(i));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"lake.db.labels, iceberg", "lake.db.by_default, ''", "labels_delta, delta", "labels_parquet, parquet"})
    void aTableGetsEachRowOnceAndLaterOnlyWhatItLacks(String table, String format) {
        if (table.startsWith("lake")) {
            assumeTrue(Lakehouse.ICEBERG, "Iceberg has no release for this Spark");
            lakehouse.sql("create namespace if not exists lake.db");
        }
        LabelStore store = store(TargetSpec.topK(8));
        Map<String, SoftTargets> expected = expected(store);
        TableExport export = new TableExport(lakehouse.spark(), table, format, false);
        assertEquals(expected.size(), export.write(List.of(store)));
        List<Row> rows = lakehouse.sql("select *, potstill_decode(targets, tokens, '" + store.folder().path() + "') as distributions from " + table).collectAsList();
        assertEquals(expected.keySet(), rows.stream().map(row -> row.<String>getAs("key")).collect(Collectors.toSet()));
        assertEquals(expected.size(), rows.size());
        rows.forEach(row -> requireSame(expected.get(row.<String>getAs("key")), row));
        assertEquals(store.labels().teacher(), rows.get(0).getAs("teacher"));
        assertEquals("top-8", rows.get(0).getAs("spec"));

        assertEquals(0, export.write(List.of(store)));
        long more = export.write(List.of(store, drawn()));
        assertEquals(drawn().sequences().count(), more);
        assertEquals(expected.size() + more, lakehouse.spark().table(table).count());
        UserException other = assertThrows(UserException.class, () -> new TableExport(lakehouse.spark(), table, format, true).write(List.of(store)));
        assertTrue(other.problem().contains("other columns") && other.cause().contains("distributions"), other.getMessage());
    }

    @Test
    void decodedRowsAreReadByAnyEngine() {
        LabelStore store = drawn();
        Map<String, SoftTargets> expected = expected(store);
        new TableExport(lakehouse.spark(), "labels_decoded", "delta", true).write(List.of(store));
        List<Row> rows = lakehouse.spark().table("labels_decoded").collectAsList();
        assertArrayEquals(new String[] {"teacher", "spec", "document", "key", "tokens", "distributions", "teacher_loss", "teacher_entropy"},
                rows.get(0).schema().fieldNames());
        rows.forEach(row -> requireSame(expected.get(row.<String>getAs("key")), row));
        double sum = lakehouse.sql("select sum(p) / count(distinct key, t) from (select key, t, explode(at.probabilities) p from labels_decoded "
                + "lateral view posexplode(distributions) as t, at)").first().getDouble(0);
        assertEquals(1, sum, 1e-5);
    }

    @Test
    void theCacheItselfIsDecodedWhereSqlReadsIt() {
        LabelStore store = drawn();
        String cache = store.folder().path().toString();
        assertEquals(0, lakehouse.sql("select * from parquet.`" + cache + "/labels` where size(potstill_decode(targets, tokens, '" + cache + "')) != size(tokens) - 1").count());
        assertTrue(lakehouse.sql("select potstill_decode(cast(null as binary), array(1, 2))").first().isNullAt(0));
        assertEquals(1, lakehouse.sql("describe function potstill_decode").where("function_desc like '%potstill_decode(targets, tokens[, folder])%'").count());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "potstill_decode(targets) | it has 1 arguments | third argument",
        "potstill_decode(targets, tokens, key) | not a string literal | third argument",
        "potstill_decode(targets, tokens) | prior | label",
        "potstill_decode(targets, tokens, '/nosuch') | neither a cache | teacher=",
        "potstill_decode(targets, slice(tokens, 1, 3), 'FOLDER') | 3 tokens | label",
        "potstill_decode(unhex('02'), tokens, 'FOLDER') | 1 bytes | columns of a cache",
        "potstill_decode(unhex('02001000007fffffff00'), tokens, 'FOLDER') | vocabulary of 2147483647 | columns of a cache",
        "potstill_decode(overlay(targets placing x'ff' from 30), tokens, 'FOLDER') | checksum | label"})
    void whatCannotBeDecodedIsAnErrorAndNeverANull(String call, String cause, String remedy) {
        LabelStore store = drawn();
        String rows = "select " + call.replace("FOLDER", store.folder().path().toString()) + " from parquet.`" + store.folder().path() + "/labels`";
        Exception thrown = assertThrows(Exception.class, () -> lakehouse.sql(rows).collectAsList());
        UserException error = Failures.explain(thrown).orElseThrow(() -> new AssertionError(thrown));
        assertTrue((error.problem() + error.cause()).contains(cause) && error.remedy().contains(remedy), error.getMessage());
    }

    @Test
    void tablesThatCannotBeWrittenAreExplained() {
        List<LabelStore> stores = List.of(drawn());
        assertTrue(refused("nosuch.db.labels", "", stores).remedy().contains("spark.sql.catalog.NAME"));
        // Delta's package for this Spark is the one of these tests.
        String delta = Path.of(DeltaSparkSessionExtension.class.getProtectionDomain().getCodeSource().getLocation().getPath()).getFileName().toString();
        String remedy = refused("labels_hudi", "hudi", stores).remedy();
        assertTrue(remedy.contains("--packages io.delta:" + delta.replaceFirst("-[0-9.]+jar$", ":")), remedy);
        assertTrue(refused("no such", "", stores).cause().contains("yntax error"));
    }

    private static UserException refused(String table, String format, List<LabelStore> stores) {
        return assertThrows(UserException.class, () -> new TableExport(lakehouse.spark(), table, format, false).write(stores));
    }
}
