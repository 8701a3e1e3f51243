// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;

class CorpusTest {
    private static final byte[] NOT_UTF8 = {'c', 'a', 'f', (byte) 0xe9, ' ', 'n', 'o', 'i', 'r'};

    @TempDir
    private Path folder;

    private List<Document> read(String... overrides) {
        return CorpusReading.read(folder, overrides);
    }

    @Test
    void everyTextFileBelowAFolderIsADocumentAndHiddenOnesAreNot() {
        Distillery.write(folder.resolve("a.txt"), "one");
        Distillery.write(folder.resolve("below/b.txt"), "zwei – żółć");
        Distillery.write(folder.resolve("_SUCCESS"), "");
        Distillery.write(folder.resolve(".hidden/c.txt"), "no");
        assertEquals(List.of("one", "zwei – żółć"), read().stream().map(Document::text).toList());
    }

    @Test
    void aDocumentThatIsNotUtf8HasAProblemAndTheOthersAreRead() {
        Distillery.write(folder.resolve("a.txt"), NOT_UTF8);
        Distillery.write(folder.resolve("b.txt"), "fine");
        List<Document> documents = read();
        assertTrue(documents.get(0).problem().contains("not UTF-8"));
        assertNull(documents.get(0).text());
        assertEquals("fine", documents.get(1).text());
    }

    @Test
    void aTextLongerThanAllowedHasAProblem() {
        Distillery.write(folder.resolve("a.txt"), "x".repeat((1 << 20) + 1));
        assertTrue(read("corpus.max-document-mib=1").get(0).problem().contains("max-document-mib"));
    }

    @Test
    void jsonLinesGiveADocumentEachAndBadLinesAProblem() {
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        lines.writeBytes("{\"id\": 1, \"text\": \"first\"}\n\n{\"id\": 2}\n{\"id\": 3, \"text\": \"x\", \n".getBytes(StandardCharsets.UTF_8));
        lines.writeBytes("{\"id\": 4, \"text\": \"".getBytes(StandardCharsets.UTF_8));
        lines.writeBytes(NOT_UTF8);
        lines.writeBytes("\"}\n{\"id\": 5, \"text\": \"last\\u00e9\"}".getBytes(StandardCharsets.UTF_8));
        Distillery.write(folder.resolve("a.jsonl"), lines.toByteArray());
        List<Document> documents = read("corpus.id-field=id");
        assertEquals(List.of("first", "lasté"), documents.stream().filter(d -> d.problem() == null).map(Document::text).toList());
        List<String> problems = documents.stream().map(Document::problem).filter(p -> p != null).sorted().toList();
        assertEquals(3, problems.size());
        assertTrue(problems.get(0).startsWith("no text in the field 'text'"), problems.toString());
        assertTrue(problems.get(1).startsWith("not JSON"), problems.toString());
        assertTrue(problems.get(2).startsWith("not UTF-8"), problems.toString());
    }

    @Test
    void compressedJsonLinesAreReadAndPlacesNameThem() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
            gzip.write("{\"body\": \"one\"}\n{\"body\": \"two\"}\n".getBytes(StandardCharsets.UTF_8));
        }
        Distillery.write(folder.resolve("a.jsonl.gz"), bytes.toByteArray());
        List<Document> documents = read("corpus.text-field=body");
        assertEquals(List.of("one", "two"), documents.stream().map(Document::text).sorted().toList());
        assertTrue(documents.get(0).id().endsWith("a.jsonl.gz:0"), documents.get(0).id());
    }

    @Test
    void parquetRowsGiveADocumentEachAndNullsAProblem() {
        StructType schema = new StructType().add("name", DataTypes.LongType).add("article", DataTypes.StringType);
        Distillery.spark().createDataFrame(List.of(RowFactory.create(1L, "first"), RowFactory.create(2L, null)), schema)
                .coalesce(1).write().parquet(folder.resolve("table.parquet").toString());
        List<Document> documents = read("corpus.text-field=article", "corpus.id-field=name");
        assertEquals(new Document("1", "first", false, null), documents.get(0));
        assertTrue(documents.get(1).problem().contains("null"));
        List<Document> unnamed = read("corpus.text-field=article");
        assertTrue(unnamed.get(0).id().matches(".*\\.parquet:0"), unnamed.get(0).id());
        assertTrue(assertThrows(UserException.class, () -> read("corpus.text-field=nothing")).problem().contains("nothing"));
    }

    @Test
    void anEmptyMissingOrMixedCorpusIsOneClearError() {
        assertTrue(assertThrows(UserException.class, this::read).problem().contains("empty"));
        assertTrue(assertThrows(UserException.class, () -> read("corpus.path=" + folder.resolve("none"))).cause().contains("no such file"));
        assertTrue(assertThrows(UserException.class, () -> read("corpus.path=nosuchscheme://x/y")).problem().contains("cannot read"));
        Distillery.write(folder.resolve("a.txt"), "x");
        Distillery.write(folder.resolve("b.jsonl"), "{}");
        UserException mixed = assertThrows(UserException.class, this::read);
        assertTrue(mixed.cause().contains("1 of text") && mixed.cause().contains("1 of jsonl"), mixed.getMessage());
        assertEquals(1, read("corpus.format=text").size());
        assertEquals(1, read("corpus.path=" + folder + "/*.txt").size());
    }
}
