// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.spark.Distillery;

class JsonDocumentsTest {
    @TempDir
    private Path folder;

    private List<Document> read(String json, String... overrides) {
        Distillery.write(folder.resolve("a.json"), json);
        return CorpusReading.read(folder, overrides);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "{\"text\": \"one\"} {\"text\": \"two\"}\n",
        "{\"text\": \"one\"}{\"text\": \"two\"}",
        "{\"text\": \"one\"}\r{\"text\": \"two\"}\r",
        "[{\"text\": \"one\"}, {\"text\": \"two\"}]",
        "[{\"text\": \"one\"},\n {\"text\": \"two\"}]\n",
        "\n[\n  {\n    \"text\": \"one\"\n  },\n  {\n    \"text\": \"two\"\n  }\n]",
        "{\n  \"text\": \"one\"\n}\n{\n  \"text\": \"two\"\n}\n",
        "{\"id\": 1,\n \"text\": \"one\"}\n\n{\"id\": 2,\n \"text\": \"two\"}\n",
        "[{\"text\": \"one\"}]\n[{\"text\": \"two\"}]\n"})
    void objectsAreReadHoweverTheyAreLaidOut(String json) {
        List<Document> documents = read(json);
        assertEquals(List.of("one", "two"), CorpusReading.texts(documents));
        assertEquals(2, documents.stream().map(Document::id).distinct().count(), documents.toString());
        assertEquals(List.of("one", "two"), CorpusReading.texts(read("\uFEFF" + json)));
    }

    @Test
    void aBadLineEndsWithItself() {
        List<Document> documents = read("{\"text\": \"cut o\n{\"text\": \"one\"}\n{\"text\": \"two\"} rubbish\n[1]\n\"text\"\n{\"text\": \"three\"}\n");
        assertEquals(List.of("one", "three", "two"), CorpusReading.texts(documents));
        assertEquals(4, CorpusReading.problems(documents).size(), documents.toString());
    }

    @Test
    void anArrayIsReadUpToItsFirstError() {
        List<Document> documents = read("[{\"text\": \"one\"}, 7, {\"text\": \"two\"}, {\"text\" \"three\"}, {\"text\": \"four\"}]");
        assertEquals(List.of("one", "two"), CorpusReading.texts(documents));
        List<String> problems = CorpusReading.problems(documents);
        assertEquals(2, problems.size());
        assertTrue(problems.stream().anyMatch(problem -> problem.contains("not read beyond character")), problems.toString());
        assertTrue(problems.stream().anyMatch(problem -> problem.contains("but a number")), problems.toString());
    }

    @Test
    void fieldsThatNobodyReadsMayHoldAnything() {
        String odd = "\"a\": NaN, \"b\": [Infinity, -Infinity], \"c\": " + "9".repeat(1001) + ", \"d\": 1" + "0".repeat(2000) + ".5e99999, \"e\": \""
                + "x".repeat(21_000_000) + "\", \"f\": " + "[".repeat(2000) + "]".repeat(2000) + ", ";
        assertEquals(List.of("one"), CorpusReading.texts(read("{" + odd + "\"text\": \"one\"}\n")));
        assertEquals(List.of("one"), CorpusReading.texts(read("[{" + odd + "\"text\": \"one\"}]")));
    }

    @Test
    void aLineOrTextThatIsTooLongIsAProblemOfItsOwn() {
        List<Document> documents = read("{\"text\": \"" + "x".repeat(2 << 20) + "\"}\n{\"text\": \"one\"}\n", "corpus.max-document-mib=1");
        assertEquals(List.of("one"), CorpusReading.texts(documents));
        assertTrue(CorpusReading.problems(documents).get(0).contains("max-document-mib"));
        documents = read("[{\"text\": \"one\"}, {\"text\": \"" + "x".repeat(2 << 20) + "\"}]", "corpus.max-document-mib=1");
        assertEquals(List.of("one"), CorpusReading.texts(documents));
        assertTrue(CorpusReading.problems(documents).get(0).contains("max-document-mib"), documents.toString());
    }

    @Test
    void nestedFieldsAreNamedWithDotsAndANameWithADotComesFirst() {
        assertEquals(List.of("one"), CorpusReading.texts(read("{\"doc\": {\"id\": 7, \"text\": \"one\"}}", "corpus.text-field=doc.text")));
        Document document = read("{\"doc\": {\"id\": 7, \"text\": \"two\"}, \"doc.text\": \"one\"}", "corpus.text-field=doc.text", "corpus.id-field=doc.id").get(0);
        assertEquals(new Document("7", "one", false, null), document);
        document = read("{\"doc.text\": \"one\", \"doc\": {\"text\": \"two\"}}", "corpus.text-field=doc.text").get(0);
        assertEquals("one", document.text());
    }

    @Test
    void theFieldsThatAreThereAreNamed() {
        assertEquals(List.of("no text in the field 'text': the object's fields are content, meta"),
                CorpusReading.problems(read("{\"content\": \"one\", \"meta\": {\"a\": 1}}")));
        assertEquals(List.of("no text in the field 'text': it is a list"), CorpusReading.problems(read("{\"text\": [\"one\"]}")));
        assertEquals(List.of("no text in the field 'text': it is null"), CorpusReading.problems(read("{\"text\": null}")));
        assertEquals(List.of("no text in the field 'text': the object is empty"), CorpusReading.problems(read("{}")));
    }

    @Test
    void adviceForProgrammersIsNotTold() {
        String problem = CorpusReading.problems(read("{\"text\": +7}\n")).get(0);
        assertTrue(problem.startsWith("not JSON: ") && !problem.contains("JsonReadFeature"), problem);
    }

    @Test
    void partitionFoldersGiveIdsWhereTheObjectHasNone() {
        Distillery.write(folder.resolve("date=2024-01-01/a.jsonl"), "{\"text\": \"one\"}\n");
        Distillery.write(folder.resolve("date=a%3Ab/a.jsonl"), "{\"text\": \"two\", \"date\": \"own\"}\n{\"text\": \"three\"}\n");
        assertEquals(List.of("2024-01-01", "a:b", "own"),
                CorpusReading.read(folder, "corpus.id-field=date").stream().map(Document::id).toList());
    }

    @Test
    void markOfByteOrderInATextIsDropped() {
        assertEquals(List.of("one"), CorpusReading.texts(read("{\"text\": \"\uFEFFone\"}")));
    }
}
