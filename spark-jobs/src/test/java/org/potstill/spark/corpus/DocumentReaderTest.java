// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.Distillery;

/** Pieces of a file. */
class DocumentReaderTest {
    private static final Configuration HADOOP = new Configuration();

    @TempDir
    private Path folder;

    private List<String> inPieces(Path file, FileFormat format, Reading reading, int step) throws Exception {
        CorpusFile listed = new CorpusFile(file.toUri().toString(), Files.size(file), 0);
        List<String> read = new ArrayList<>();
        for (long from = 0; from == 0 || from < listed.bytes(); from += step) {
            Piece piece = new Piece(listed, format, from, from + step >= listed.bytes() ? Long.MAX_VALUE : from + step);
            try (DocumentReader reader = DocumentReader.open(piece, reading, HADOOP)) {
                for (Document document = reader.next(); document != null; document = reader.next()) {
                    read.add(document.id().substring(document.id().lastIndexOf('/')) + " " + document.text() + document.problem());
                }
            }
        }
        return read;
    }

    private void assertDivisible(Path file, FileFormat format, Reading reading, int documents) throws Exception {
        List<String> whole = inPieces(file, format, reading, Integer.MAX_VALUE);
        assertEquals(documents, whole.size(), whole.toString());
        for (int step : new int[] {20, 21, 33, 64, 100, 1000}) {
            assertEquals(whole, inPieces(file, format, reading, step), "pieces of " + step);
        }
    }

    @Test
    void anyDivisionOfJsonLinesGivesEachDocumentOnce() throws Exception {
        StringBuilder lines = new StringBuilder("\uFEFF");
        for (int i = 0; i < 40; i++) {
            lines.append("{\"text\": \"").append("é".repeat(i % 13)).append(i).append(i % 7 == 0 ? "\"}\r\n\n" : "\"} {\"text\": \"2\"}\n");
        }
        Path file = folder.resolve("a.jsonl");
        Distillery.write(file, lines.append("{\"text\": \"end\"}").toString());
        assertDivisible(file, FileFormat.JSONL, new Reading("text", "", "", 1 << 20, ConversationColumns.NONE), 40 + 34 + 1);
    }

    @Test
    void anyDivisionOfAFileWithSeparatorsGivesEachDocumentOnce() throws Exception {
        String text = String.join("\n<|endoftext|>\n", IntStream.range(0, 30).mapToObj(i -> "story " + "so ".repeat(i % 9) + i).toList());
        Path file = folder.resolve("a.txt");
        Distillery.write(file, text + "\n<|endoftext|>\n");
        assertDivisible(file, FileFormat.TEXT, new Reading("text", "", "<|endoftext|>", 1 << 20, ConversationColumns.NONE), 30);
    }

    @Test
    void anyDivisionOfAParquetFileGivesEachRowOnce() throws Exception {
        Path file = folder.resolve("a.parquet");
        ParquetFiles.write(file, IntStream.range(0, 150).mapToObj(i -> "row " + Distillery.text(i, 10)).toArray(String[]::new));
        assertDivisible(file, FileFormat.PARQUET, new Reading("text", "", "", 1 << 20, ConversationColumns.NONE), 150);
    }

    @Test
    void aFileThatCannotBeDividedIsReadByItsFirstPiece() throws Exception {
        Path file = folder.resolve("a.json");
        Distillery.write(file, "[\n" + String.join(",\n", IntStream.range(0, 30).mapToObj(i -> "{\"text\": \"" + i + "\"}").toList()) + "\n]\n");
        assertDivisible(file, FileFormat.JSONL, new Reading("text", "", "", 1 << 20, ConversationColumns.NONE), 30);
    }

    @Test
    void tasksHaveAboutAsMuchToReadAndEveryByteOnce() {
        List<CorpusFile> files = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            files.add(new CorpusFile("file:/" + i + ".jsonl", 20, 0));
        }
        files.add(new CorpusFile("file:/big.jsonl", 10L << 30, 0));
        files.add(new CorpusFile("file:/big.jsonl.gz", 1L << 30, 0));
        List<List<Piece>> tasks = Piece.tasks(files, FileFormat.JSONL, true, 8);
        assertTrue(tasks.size() < 300, tasks.size() + " tasks");
        assertEquals(5000 + (10 << 4) + 1, tasks.stream().mapToInt(List::size).sum());
        assertEquals(files.stream().mapToLong(CorpusFile::bytes).sum(), tasks.stream().flatMap(List::stream).mapToLong(Piece::length).sum());
        assertEquals(1, Piece.tasks(files.subList(0, 1), FileFormat.TEXT, false, 100).size());
    }
}
