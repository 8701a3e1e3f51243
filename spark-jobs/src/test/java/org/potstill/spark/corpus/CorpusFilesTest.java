// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;

/** Which files a corpus is made of. */
class CorpusFilesTest {
    private static final String[] AWKWARD = {"c*", "cd", "a[1]", "b{x}", "x,y", "2024-05-01T12:00:00", "q?", "żółć", "per%20cent", "a b", "#1", "back\\slash"};

    @TempDir
    private Path folder;

    private List<Document> read(String... overrides) {
        return CorpusReading.read(folder, overrides);
    }

    private void write(String name, String text) {
        Distillery.write(folder.resolve(name), text);
    }

    private UserException refused(String... overrides) {
        return assertThrows(UserException.class, () -> read(overrides));
    }

    @Test
    void namesOfFilesAreLiteralWhateverCharactersAreInThem() {
        for (String name : AWKWARD) {
            write("text/" + name + ".txt", name);
            write("json/" + name + "/" + name + ".jsonl", "{\"text\": \"" + name.replace("\\", "\\\\") + "\"}");
            ParquetFiles.write(folder.resolve("parquet/" + name + ".parquet"), name);
        }
        List<String> all = Arrays.stream(AWKWARD).sorted().toList();
        for (String format : List.of("text", "json", "parquet")) {
            assertEquals(all, CorpusReading.texts(read("corpus.path=" + folder + "/" + format)), format);
        }
        assertEquals(all, CorpusReading.texts(read("corpus.path=" + folder + "/t*t/*")));
    }

    @Test
    void aPathThatExistsIsThatAndElseAGlob() {
        for (String name : List.of("c*.txt", "cd.txt", "x{1,2}.txt", "x1.txt", "12:00.txt")) {
            write(name, name);
        }
        assertEquals(List.of("c*.txt"), CorpusReading.texts(read("corpus.path=" + folder + "/c*.txt")));
        assertEquals(List.of("x{1,2}.txt"), CorpusReading.texts(read("corpus.path=\"" + folder + "/x{1,2}.txt\"")));
        assertEquals(List.of("12:00.txt"), CorpusReading.texts(read("corpus.path=" + folder + "/12:00.txt")));
        assertEquals(List.of("cd.txt", "x1.txt"), CorpusReading.texts(read("corpus.path=\"" + folder + "/{?d,x1}.txt\"")));
    }

    @Test
    void globsThatOverlapGiveEachFileOnce() {
        write("a/b/c.txt", "one");
        write("a/d.txt", "two");
        assertEquals(List.of("one", "two"), CorpusReading.texts(read("corpus.path=\"" + folder + "/{a,*,a/b,a/b/c.txt}\"")));
    }

    @Test
    void hiddenNamesAreLeftOutAlsoWhereAGlobWouldMatchThem() {
        write("_posts/a.md", "hidden");
        write(".x/b.md", "hidden");
        write("pkg/__init__.py", "hidden");
        write("b.md", "read");
        assertEquals(List.of("read"), CorpusReading.texts(read()));
        assertEquals(List.of("read"), CorpusReading.texts(read("corpus.path=" + folder + "/*")));
        assertEquals(List.of("hidden"), CorpusReading.texts(read("corpus.path=" + folder + "/_posts")));
        assertEquals(List.of("hidden"), CorpusReading.texts(read("corpus.path=" + folder + "/_*/*")));
    }

    @ParameterizedTest
    @ValueSource(strings = {".csv", ".tsv", ".arrow", ".avro", ".xml", ""})
    void endingsThatAutoDoesNotKnowAreNamedAndLeftOut(String ending) {
        write("a" + ending, "x,y\n1,2\n");
        UserException error = refused();
        assertTrue(error.cause().contains(ending.isEmpty() ? "(none)" : ending) && error.remedy().contains("corpus.format"), error.getMessage());
        assertEquals(1, read("corpus.format=text").size());
        write("b.txt", "read");
        assertEquals(List.of("read"), CorpusReading.texts(read()));
    }

    @Test
    void endingsOfOneFormatMayDiffer() {
        write("a.jsonl", "{\"text\": \"1\"}");
        write("b.ndjson", "{\"text\": \"2\"}");
        write("c.json", "{\"text\": \"3\"}");
        write("d.JSONLINES", "{\"text\": \"4\"}");
        write("e.jl", "{\"text\": \"5\"}");
        assertEquals(List.of("1", "2", "3", "4", "5"), CorpusReading.texts(read()));
    }

    @Test
    void anUnknownEndingIsNamedByWhatTheFileIs() {
        ParquetFiles.write(folder.resolve("part-00000"), "a b");
        assertTrue(refused().cause().contains("which is a Parquet file"), refused().getMessage());
        assertEquals(List.of("a b"), CorpusReading.texts(read("corpus.format=parquet")));
    }

    @Test
    void aClonedDataSetIsItsData() {
        write("README.md", "about");
        write(".gitattributes", "*.parquet");
        write("dataset_infos.json", "{}");
        write("LICENSE", "free");
        ParquetFiles.write(folder.resolve("data/train-0.parquet"), "a b");
        assertEquals(List.of("a b"), CorpusReading.texts(read()));
        assertEquals(List.of("a b"), CorpusReading.texts(read("corpus.format=parquet")));
    }

    @Test
    void aReadmeByItselfIsText() {
        write("README.md", "about");
        write("more.md", "more");
        assertEquals(List.of("about", "more"), CorpusReading.texts(read()));
    }

    @Test
    void theRemedyForMixedFormatsWorks() {
        write("a/1.txt", "text");
        write("b/2.jsonl", "{\"text\": \"json\"}");
        UserException error = refused();
        assertTrue(error.remedy().contains(folder + "/a/*.txt") && error.remedy().contains(folder + "/b/*.jsonl"), error.getMessage());
        assertEquals(List.of("json"), CorpusReading.texts(read("corpus.format=jsonl")));
        assertEquals(List.of("text"), CorpusReading.texts(read("corpus.format=text")));
        assertEquals(List.of("json"), CorpusReading.texts(read("corpus.path=" + folder + "/b/*.jsonl")));
    }

    @Test
    void theGlobForMixedFormatsMatchesNamesAsTheyAreWritten() {
        write("[a]{b}/1.TXT", "text");
        write("b*/2.jsonl.GZ", "{\"text\": \"json\"}");
        UserException error = refused();
        List<String> globs = Arrays.stream(error.remedy().split(" such as ")[1].split(" or ")).toList();
        assertEquals(List.of(List.of("text"), List.of("json")),
                globs.stream().map(glob -> CorpusReading.texts(read("corpus.path=" + glob))).toList(), error.getMessage());
    }

    @Test
    void filesWithoutContentAreNoDocuments() {
        write("a.txt", "");
        assertTrue(refused().cause().contains("1 file without content"), refused().getMessage());
        write("b.txt", "b");
        assertEquals(1, read().size());
    }

    @Test
    void linksInCirclesEndAndAFileIsReadOnceByWhateverNames() throws Exception {
        write("a/one.txt", "one");
        Files.createSymbolicLink(folder.resolve("a/up"), folder);
        Files.createSymbolicLink(folder.resolve("again"), folder.resolve("a"));
        Files.createSymbolicLink(folder.resolve("copy.txt"), folder.resolve("a/one.txt"));
        assertEquals(List.of("one"), CorpusReading.texts(read()));
    }

    @Test
    void aLinkThatLeadsNowhereIsADocumentWithAProblem() throws Exception {
        write("a.txt", "one");
        Files.createSymbolicLink(folder.resolve("b.txt"), folder.resolve("gone"));
        assertEquals(List.of("a broken link"), CorpusReading.problems(read()));
        Files.delete(folder.resolve("b.txt"));
        Files.createSymbolicLink(folder.resolve("b.txt"), Path.of(".git/annex/objects/x/y/SHA256E-s5--0/SHA256E-s5--0.txt"));
        assertTrue(CorpusReading.problems(read()).get(0).contains("git annex get"));
    }

    @Test
    void tablesAreRefusedByName() {
        write("delta/_delta_log/00000000000000000001.json", "{\"remove\":{\"path\":\"a.parquet\"}}");
        ParquetFiles.write(folder.resolve("delta/date=1/a.parquet"), "deleted");
        write("lake/t/metadata/00001-x.metadata.json", "{}");
        ParquetFiles.write(folder.resolve("lake/t/data/a.parquet"), "deleted");
        write("hudi/.hoodie/hoodie.properties", "");
        ParquetFiles.write(folder.resolve("hudi/a.parquet"), "deleted");
        for (String path : List.of("delta", "delta/date=1", "delta/date=1/a.parquet", "delta/*", "delta/*/*.parquet", "")) {
            UserException error = refused("corpus.path=" + folder + "/" + path);
            assertTrue(error.problem().contains("a Delta table"), path + ": " + error.getMessage());
        }
        for (String path : List.of("lake", "lake/t", "lake/t/data", "lake/t/data/*.parquet")) {
            assertTrue(refused("corpus.path=" + folder + "/" + path).problem().contains("an Iceberg table"), path);
        }
        assertTrue(refused("corpus.path=" + folder + "/hudi/a.parquet").problem().contains("a Hudi table"));
        write("paimon/schema/schema-0", "{}");
        write("paimon/snapshot/snapshot-1", "{}");
        ParquetFiles.write(folder.resolve("paimon/dt=1/bucket-0/data-1.parquet"), "deleted");
        for (String path : List.of("paimon", "paimon/dt=1", "paimon/dt=1/bucket-0", "paimon/*/*/*.parquet", "paimon/dt=1/bucket-0/data-1.parquet")) {
            assertTrue(refused("corpus.path=" + folder + "/" + path).problem().contains("a Paimon table"), path);
        }
    }

    /** As a second run finds them. */
    @ParameterizedTest
    @ValueSource(strings = {"cache.path", "student.path", "prune.path", "export.path", "report.path", "teacher.scratch", "teacher.path", "student.init"})
    void foldersThatSettingsNameAreNoDocuments(String setting) throws Exception {
        write("a.txt", "one");
        write("own/report/report.md", "report");
        write("own/teacher=1/spec=2/provenance.json", "{}");
        String own = setting + "=" + folder + "/own";
        for (String format : List.of("auto", "text")) {
            for (String path : List.of("", "/", "/*", "/{a.txt,own,own/report}")) {
                assertEquals(List.of("one"), CorpusReading.texts(read("corpus.path=\"" + folder + path + "\"", own, "corpus.format=" + format)), path);
            }
        }
        write("other/own.txt", "two");
        Files.createSymbolicLink(folder.resolve("other/link"), folder.resolve("own"));
        assertEquals(List.of("two"), CorpusReading.texts(read("corpus.path=" + folder + "/other", own)));
        assertEquals(List.of("one", "two"), CorpusReading.texts(read(setting + "=" + folder + "/other/link", "corpus.format=text")));
        assertTrue(refused("corpus.path=" + folder + "/own", own).problem().contains("apart from those in " + setting));
    }

    @Test
    void aCorpusInAFolderThatPotstillWritesIsRefused() {
        write("corpus/a.txt", "one");
        UserException error = refused("corpus.path=" + folder + "/corpus", "cache.path=" + folder);
        assertTrue(error.remedy().contains("corpus.path and cache.path"), error.getMessage());
        assertEquals(List.of("one"), CorpusReading.texts(read("corpus.path=" + folder + "/corpus", "teacher.path=" + folder)));
        assertEquals(List.of("one"), CorpusReading.texts(read("corpus.path=" + folder + "/corpus", "cache.path=" + folder + "/corp")));
        assertEquals(List.of("one"), CorpusReading.texts(read("corpus.path=" + folder + "/corpus", "cache.path=s3a://bucket" + folder)));
    }

    @Test
    void twoPathsWithACommaBetweenAreRefusedWithAGlobThatWorks() {
        write("a/1.txt", "one");
        write("b/2.txt", "two");
        UserException error = refused("corpus.path=\"" + folder + "/a," + folder + "/b\"");
        assertTrue(error.remedy().contains("{"), error.getMessage());
        assertEquals(2, read("corpus.path=\"{" + folder + "/a," + folder + "/b}\"").size());
    }

    @Test
    void manyFilesAreReadByFewTasks() {
        for (int i = 0; i < 500; i++) {
            write(i + ".jsonl", "{\"text\": \"one two " + i + "\"}");
        }
        var documents = new Corpus(Distillery.spark(), org.potstill.spark.settings.Settings.load(List.of(), List.of("corpus.path=" + folder))).documents();
        assertTrue(documents.getNumPartitions() <= 32, documents.getNumPartitions() + " tasks");
        assertEquals(500, documents.map(Document::text).distinct().count());
    }
}
