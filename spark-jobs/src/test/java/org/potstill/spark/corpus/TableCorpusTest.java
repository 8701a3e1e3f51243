// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.CorpusLabels;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.label.CorpusReuse;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.MixtureLabelJob;
import org.potstill.spark.label.MixtureLabelSummary;
import org.potstill.spark.settings.Settings;

/** Corpora that Spark reads. */
class TableCorpusTest {
    private static final int DOCUMENTS = 6;

    @TempDir
    private static Path folder;
    private static Lakehouse lakehouse;
    private static Distillery distillery;

    @BeforeAll
    static void fill() {
        lakehouse = new Lakehouse(folder);
        distillery = new Distillery(folder);
        String lines = IntStream.range(0, DOCUMENTS).mapToObj(i -> String.format(Locale.ROOT,
                "{\"id\": \"d%d\", \"text\": \"%s\", \"domain\": \"%s\", \"doc\": {\"text\": \"inner %d\", \"n\": %d}}\n", i, Distillery.text(i, 40),
                i % 3 == 0 ? "code" : "prose", i, i)).reduce("", String::concat);
        Distillery.write(folder.resolve("lines.jsonl"), lines);
        rows().createOrReplaceTempView("rows");
        lakehouse.sql("create table docs_delta using delta as select * from rows");
        if (Lakehouse.ICEBERG) {
            lakehouse.sql("create table lake.db.docs using iceberg as select * from rows");
        }
        lakehouse.sql("create table docs_hive (id string, text string) stored as orc");
        lakehouse.sql("insert into docs_hive select id, text from rows");
    }

    @AfterAll
    static void close() {
        lakehouse.close();
    }

    private static Dataset<Row> rows() {
        return lakehouse.spark().read().json(folder.resolve("lines.jsonl").toString());
    }

    private static Corpus corpus(String... settings) {
        return new Corpus(lakehouse.spark(), Settings.load(List.of(), List.of(settings)));
    }

    private static List<Document> read(String... settings) {
        List<Document> documents = new ArrayList<>(corpus(settings).documents().collect());
        documents.sort(Comparator.comparing(Document::id));
        return documents;
    }

    private static List<String> ids(String... settings) {
        List<String> all = new ArrayList<>(List.of("corpus.id-field=id"));
        all.addAll(List.of(settings));
        return read(all.toArray(String[]::new)).stream().map(Document::id).toList();
    }

    private static LabelStore label(String name, String... corpus) {
        List<String> all = new ArrayList<>(List.of("corpus.path=", "corpus.id-field=id", "cache.path=" + folder.resolve(name)));
        all.addAll(List.of(corpus));
        Settings settings = distillery.settings(all.toArray(String[]::new));
        new LabelJob(lakehouse.spark(), settings).run();
        return LabelStores.find(lakehouse.spark(), folder.resolve(name).toString(), TargetSpec.topK(8), null);
    }

    @Test
    void deltaIcebergAndHiveTablesHaveTheLabelsOfTheSameTextInJsonLines() {
        LabelStore lines = label("of-lines", "corpus.path=" + folder.resolve("lines.jsonl"));
        List<LabelledSequence> expected = sequences(lines);
        assertTrue(expected.size() > DOCUMENTS);
        for (String table : Lakehouse.ICEBERG ? List.of("docs_delta", "lake.db.docs", "docs_hive") : List.of("docs_delta", "docs_hive")) {
            LabelStore store = label("of-" + table, "corpus.table=" + table);
            List<LabelledSequence> labels = sequences(store);
            assertEquals(expected.size(), labels.size(), table);
            for (int i = 0; i < expected.size(); i++) {
                assertEquals(expected.get(i).key(), labels.get(i).key());
                assertEquals(expected.get(i).document(), labels.get(i).document());
                assertArrayEquals(expected.get(i).tokens(), labels.get(i).tokens());
                assertArrayEquals(expected.get(i).targets(), labels.get(i).targets(), table);
            }
            JsonNode snapshot = store.currentSnapshot();
            assertEquals(table, snapshot.path("corpus.table").asText());
            assertFalse(snapshot.has("corpus.path"));
            assertEquals(!table.equals("docs_hive"), snapshot.has("corpus.versions"), snapshot.toString());
        }
    }

    private static List<LabelledSequence> sequences(LabelStore store) {
        List<LabelledSequence> rows = new ArrayList<>(store.sequences().collect());
        rows.sort(Comparator.comparing(LabelledSequence::key));
        return rows;
    }

    @Test
    void deletedRowsOfADeltaTableAreNotReadUnlessAnEarlierVersionIsAskedFor() {
        Path table = folder.resolve("table");
        lakehouse.sql("create table docs_deleted using delta location '" + table + "' as select * from rows");
        lakehouse.sql("delete from docs_deleted where id in ('d1', 'd4')");
        assertEquals(List.of("d0", "d2", "d3", "d5"), ids("corpus.table=docs_deleted"));
        assertEquals(List.of("d0", "d2", "d3", "d5"), ids("corpus.path=" + table, "corpus.format=delta"));
        assertEquals(DOCUMENTS, ids("corpus.path=" + table, "corpus.format=delta", "corpus.options.versionAsOf=0").size());
        Corpus earlier = corpus("corpus.query=select text from docs_deleted version as of 0");
        assertEquals(DOCUMENTS, earlier.documents().count());
        assertEquals("version 0", earlier.provenance().path("corpus.versions").path("spark_catalog.default.docs_deleted").asText(), earlier.provenance().toString());
        UserException error = assertThrows(UserException.class, () -> read("corpus.path=" + table));
        assertTrue(error.problem().contains("a Delta table") && error.remedy().contains("corpus.format = delta"), error.getMessage());
    }

    @Test
    void earlierSnapshotsOfAnIcebergTableAreRecorded() {
        assumeTrue(Lakehouse.ICEBERG, "Iceberg has no release for this Spark");
        lakehouse.sql("create table lake.db.grown using iceberg as select * from rows");
        Corpus now = corpus("corpus.table=lake.db.grown");
        assertEquals(DOCUMENTS, now.documents().count());
        String first = now.provenance().path("corpus.versions").path("lake.db.grown").asText();
        assertTrue(first.matches("snapshot [0-9]+"), first);
        lakehouse.sql("insert into lake.db.grown select * from rows");
        Corpus grown = corpus("corpus.table=lake.db.grown");
        assertEquals(2 * DOCUMENTS, grown.documents().count());
        assertNotEquals(first, grown.provenance().path("corpus.versions").path("lake.db.grown").asText());
        Corpus earlier = corpus("corpus.query=select text from lake.db.grown version as of " + first.substring("snapshot ".length()));
        assertEquals(DOCUMENTS, earlier.documents().count());
        assertEquals(first, earlier.provenance().path("corpus.versions").path("lake.db.grown").asText());
    }

    private static CorpusReuse reuse(String... corpus) {
        List<String> all = new ArrayList<>(List.of("corpus.path=", "corpus.id-field=id", "cache.path=" + folder.resolve("again")));
        all.addAll(List.of(corpus));
        return new LabelJob(lakehouse.spark(), distillery.settings(all.toArray(String[]::new))).run().reuse();
    }

    @Test
    void aTableIsReadAgainOnlyInAnotherVersion() {
        CorpusReuse read = new CorpusReuse(1, 0);
        CorpusReuse taken = new CorpusReuse(0, 1);
        for (String name : Lakehouse.ICEBERG ? List.of("docs_again delta", "lake.db.again iceberg") : List.of("docs_again delta")) {
            String table = name.substring(0, name.indexOf(' '));
            String create = "create table " + name.replace(" ", " using ") + " as select * from rows";
            lakehouse.sql(create);
            String corpus = "corpus.table=" + table;
            assertEquals(read, reuse(corpus));
            assertEquals(taken, reuse(corpus), table);
            assertEquals(read, reuse(corpus, "corpus.full=true"));
            lakehouse.sql("insert into " + table + " select * from rows where id = 'd1'");
            assertEquals(read, reuse(corpus));
            assertEquals(taken, reuse(corpus));
            assertEquals(read, reuse(corpus, "corpus.where=domain = 'code'"));
            assertEquals(taken, reuse(corpus, "corpus.where=domain = 'code'"));
            assertEquals(read, reuse(corpus, "corpus.where=domain = 'prose'"));
            // Rows that may be others tomorrow.
            for (String where : List.of("domain = 'code' or current_date() < '2000-01-01'", "rand() < 2", "id in (select id from rows)")) {
                assertEquals(new CorpusReuse(0, 0), reuse(corpus, "corpus.where=" + where), where);
            }
            assertEquals(new CorpusReuse(0, 0), reuse("corpus.query=select id, text from " + table));
            // Made anew, it may have the same version again.
            reuse(corpus);
            lakehouse.sql("drop table " + table);
            lakehouse.sql(create);
            lakehouse.sql("insert into " + table + " select * from " + table);
            assertEquals(read, reuse(corpus));
        }
    }

    @Test
    void eachTeacherOfAMixtureTakesOverItsDocumentsOfATable() {
        TinyLlama.write(folder.resolve("coder.gguf"), 8);
        lakehouse.sql("create table docs_mixed using delta as select * from rows");
        Settings settings = distillery.settings("corpus.path=", "corpus.table=docs_mixed", "corpus.id-field=id", "corpus.holdout=0", "cache.path=" + folder.resolve("mixed"),
                "teacher.path=", "teachers.code.path=" + folder.resolve("coder.gguf"), "teachers.code.where=domain = 'code'", "teachers.general.path=" + distillery.teacher());
        MixtureLabelSummary first = new MixtureLabelJob(lakehouse.spark(), settings).run();
        JsonNode snapshot = CorpusLabels.find(lakehouse.spark(), folder.resolve("mixed").toString(), TargetSpec.topK(8), List.of()).snapshot();
        MixtureLabelSummary again = new MixtureLabelJob(lakehouse.spark(), settings).run();
        assertEquals(0, again.scoredTokens());
        first.teachers().forEach((name, pass) -> {
            assertEquals(new CorpusReuse(1, 0), pass.reuse());
            assertEquals(new CorpusReuse(0, 1), again.teachers().get(name).reuse());
            assertEquals(pass.corpus(), again.teachers().get(name).corpus());
        });
        assertEquals(snapshot, CorpusLabels.find(lakehouse.spark(), folder.resolve("mixed").toString(), TargetSpec.topK(8), List.of()).snapshot());
    }

    @Test
    void conditionsArePushedDownAndOnlyTheWantedColumnsAreRead() {
        Path orc = folder.resolve("orc");
        rows().write().orc(orc.toString());
        String[] ofFiles = {"corpus.path=" + orc, "corpus.format=orc", "corpus.id-field=id", "corpus.where=domain = 'code'", "corpus.text-field=doc.text"};
        assertEquals(List.of("d0", "d3"), ids(ofFiles));
        assertEquals(List.of("inner 0", "inner 3"), CorpusReading.texts(read(ofFiles)));
        String plan = plan(ofFiles);
        assertTrue(plan.contains("EqualTo(domain,code)") && plan.contains("ReadSchema: struct<doc:struct<text:string>,domain:string,id:string>"), plan);
        assertEquals(List.of("d0"), ids("corpus.query=select id, upper(text) text from docs_hive", "corpus.where=id < 'd1'"));
        if (Lakehouse.ICEBERG) {
            String[] ofTable = {"corpus.table=lake.db.docs", "corpus.id-field=id", "corpus.where=domain = 'code'"};
            assertEquals(List.of("d0", "d3"), ids(ofTable));
            String iceberg = plan(ofTable);
            assertTrue(iceberg.contains("domain = 'code'") && !iceberg.contains("doc#"), iceberg);
        }
    }

    private static String plan(String... settings) {
        Settings all = Settings.load(List.of(), List.of(settings));
        return new TableRows(lakehouse.spark(), CorpusSource.of(all), Reading.of(all)).rows().queryExecution().executedPlan().toString();
    }

    @Test
    void rowsOfOtherFormatsAreDocumentsWithoutAPlace() {
        Path csv = folder.resolve("csv/a.csv");
        Distillery.write(csv, "n;text\n1;one, two\n2;\n3;\"a line\nand another\"\n");
        String[] settings = {"corpus.path=" + csv.getParent(), "corpus.format=CSV", "corpus.options.header=true", "corpus.options.sep=;",
            "corpus.options.multiLine=true"};
        List<Document> documents = read(settings);
        assertEquals(List.of("a line\nand another", "one, two"), CorpusReading.texts(documents));
        assertEquals(List.of("the text is null"), CorpusReading.problems(documents));
        List<String> ids = documents.stream().filter(document -> document.text() != null).map(Document::id).toList();
        assertTrue(ids.stream().allMatch(id -> id.matches("[0-9a-f]{32}")), ids.toString());
        Distillery.write(folder.resolve("moved/b.csv"), "text\n\"one, two\"\n");
        assertTrue(ids.contains(read("corpus.path=" + folder.resolve("moved"), "corpus.format=csv", "corpus.options.header=true").get(0).id()));
    }

    @Test
    void rowsThatAreNotTextAreRefusedWithTheirReason() {
        List<Document> documents = read("corpus.id-field=id", "corpus.max-document-mib=1",
                "corpus.query=select 1 id, 'good' text union all select 2, concat('a', char(0)) union all select 3, repeat('x', 1048577) "
                        + "union all select 4, cast(x'61ff' as string) union all select cast(null as int), 'nameless'");
        assertEquals(List.of("good", "nameless"), CorpusReading.texts(documents));
        List<String> problems = CorpusReading.problems(documents);
        assertEquals(3, problems.size());
        assertTrue(problems.get(0).contains("NUL") && problems.get(1).contains("corpus.max-document-mib") && problems.get(2).contains("not UTF-8"), problems.toString());
        Corpus nameless = corpus("corpus.query=select cast(null as date) id, 'text' text", "corpus.id-field=id");
        assertEquals(1, nameless.documents().count());
        assertTrue(assertThrows(UserException.class, nameless::requireIds).remedy().contains("hash"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "corpus.table=nosuch | cannot be found | spark.sql.catalog.NAME",
        "corpus.table=nosuch.db.docs | `nosuch`.`db` | corpus.table",
        "corpus.table=no such | yntax error | corpus.table",
        "corpus.query=selct text from rows | yntax error at or near 'selct' | corpus.query",
        "corpus.query=select nosuch text from rows | `nosuch` | corpus.query",
        "corpus.query=select text from rows; corpus.where=nosuch = 1 | `nosuch` | corpus.where",
        "corpus.query=select text from rows; corpus.text-field=content | its columns are text | corpus.text-field",
        "corpus.table=docs_delta; corpus.text-field=doc.n | of type bigint, not a string | corpus.text-field",
        "corpus.table=docs_delta; corpus.text-field=doc.m | its columns are doc, domain, id, text | corpus.text-field",
        "corpus.table=docs_delta; corpus.id-field=doc | struct<n:bigint,text:string>, not a single value | corpus.id-field",
        "corpus.path=/x; corpus.format=hudi | data source: hudi | --packages",
        "corpus.path=/x; corpus.format=avro | data source: avro | org.apache.spark:spark-avro_",
        "corpus.path=/nosuch; corpus.format=orc | /nosuch | corpus.path",
        "corpus.path=/x; corpus.table=docs_delta | only one of them | \"\"",
        "corpus.path=/x; corpus.format=parquet; corpus.where=n = 1 | parquet.`/path` | corpus.where",
        "corpus.path=/x; corpus.options.header=true | corpus.query | corpus.options",
        "corpus.table=docs_delta; corpus.format=orc | corpus.path | corpus.format",
        "corpus.query=select text from rows; corpus.options.a=1 | a query says everything itself | corpus.options",
        "corpus.text-field=text | this command requires it | corpus.table or corpus.query"})
    void errorsSayInASentenceWhatIsWrong(String settings, String cause, String remedy) {
        UserException error = assertThrows(UserException.class, () -> read(settings.split("; ")));
        assertTrue(error.cause().contains(cause) && (error.remedy() + error.problem() + error.cause()).contains(remedy), error.getMessage());
        assertFalse(error.cause().matches("(?s).*(\\R|==|Relation|'Project|SQLSTATE|\\[[A-Z_]+\\]).*"), error.getMessage());
    }

    @Test
    void conversationsAreThoseOfTheSameJsonLines() {
        Path lines = folder.resolve("chat/a.jsonl");
        Distillery.write(lines, "{\"id\": \"1\", \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": \"assistant\", \"content\": null, "
                + "\"tool_calls\": [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"n\": 1}}}]}]}\n"
                + "{\"id\": \"2\", \"messages\": [{\"role\": \"user\", \"content\": \"\u00fc\"}, {\"role\": \"assistant\", \"content\": \"yes\"}]}\n"
                + "{\"id\": \"3\", \"messages\": null}\n");
        lakehouse.spark().read().json(lines.toString()).write().format("delta").save(folder.resolve("chats").toString());
        String[] table = {"corpus.path=" + folder.resolve("chats"), "corpus.format=delta", "corpus.id-field=id"};
        List<Document> expected = read("corpus.path=" + lines, "corpus.id-field=id");
        List<Document> documents = read(table);
        assertEquals(expected.stream().map(Document::id).toList(), documents.stream().map(Document::id).toList());
        for (int i = 0; i < 2; i++) {
            assertTrue(documents.get(i).isConversation());
            assertEquals(expected.get(i).content(), documents.get(i).content());
        }
        assertTrue(documents.get(2).problem().contains("the conversation is null"), documents.get(2).problem());
        String pairs = "corpus.query=select 'hi' question, 'yes' answer";
        Document pair = read(pairs, "corpus.conversations=question, answer").get(0);
        assertTrue(pair.isConversation() && pair.text().contains("yes") && pair.id().matches("[0-9a-f]{32}"), pair.toString());
        assertTrue(assertThrows(UserException.class, () -> read(pairs, "corpus.conversations=nosuch")).cause().contains("its columns are question, answer"));
        // The text is not what was asked for.
        assertTrue(assertThrows(UserException.class, () -> read("corpus.query=select 'hi' question, 'yes' answer, 'no' text",
                "corpus.conversations=question, answr")).cause().contains("no column 'question, answr'"));
    }

    @Test
    void secretsOfOptionsAreInNoRecord() {
        Settings settings = Settings.load(List.of(), List.of("corpus.format=jdbc", "corpus.options.dbtable=docs", "corpus.options.password=hunter2",
                "corpus.options.fs.s3a.secret.key=hunter2", "corpus.options.url=jdbc:postgresql://me:hunter2@host/db?password=hunter2&ssl=true"));
        String records = settings.provenance() + " " + settings.given() + " " + CorpusSource.of(settings).provenance();
        assertFalse(records.contains("hunter2"), records);
        assertTrue(records.contains("jdbc:postgresql://(redacted)@host/db?password=(redacted)&ssl=true") && records.contains("docs"), records);
        assertEquals("hunter2", CorpusSource.of(settings).options().get("fs.s3a.secret.key"));
    }
}
