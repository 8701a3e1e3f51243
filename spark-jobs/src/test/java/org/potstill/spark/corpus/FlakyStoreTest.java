// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.spark.Distillery;

class FlakyStoreTest {
    private static final int LINES = 5_000;

    @TempDir
    private Path folder;

    @BeforeAll
    static void known() {
        FlakyFileSystem.register(Distillery.spark().sparkContext().hadoopConfiguration());
    }

    private List<Document> read() {
        return CorpusReading.read(folder, "corpus.path=flaky://" + folder + "/*");
    }

    private List<String> write(String name) throws IOException {
        List<String> texts = IntStream.range(0, LINES).mapToObj(i -> "line number " + i).toList();
        if (name.endsWith(".parquet")) {
            ParquetFiles.write(folder.resolve(name), texts.toArray(String[]::new));
            return texts.stream().sorted().toList();
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = name.endsWith(".gz") ? new GZIPOutputStream(bytes) : bytes) {
            for (String text : texts) {
                out.write(("{\"text\": \"" + text + "\"}\n").getBytes(StandardCharsets.UTF_8));
            }
        }
        Files.write(folder.resolve(name), bytes.toByteArray());
        return texts.stream().sorted().toList();
    }

    @ParameterizedTest
    @CsvSource({"flaky.jsonl, 0", "flaky.jsonl, 12", "flaky.jsonl.gz, 0", "flaky.jsonl.gz, 3", "flaky.parquet, 0", "flaky.parquet, 7"})
    void whatComesWhenAskedAgainIsReadOnce(String name, int afterReads) throws IOException {
        List<String> texts = write(name);
        FlakyFileSystem.fail(afterReads, 2);
        List<Document> read = read();
        assertEquals(0, FlakyFileSystem.failuresLeft());
        assertEquals(List.of(), CorpusReading.problems(read));
        assertEquals(texts, CorpusReading.texts(read));
    }

    @ParameterizedTest
    @CsvSource({"flaky.jsonl", "flaky.jsonl.gz"})
    void aFileThatNeverComesIsOneProblem(String name) throws IOException {
        write(name);
        Files.writeString(folder.resolve("sound.jsonl"), "{\"text\": \"sound\"}\n");
        FlakyFileSystem.fail(0, 100);
        List<Document> read = read();
        FlakyFileSystem.fail(0, 0);
        assertEquals(List.of("cannot be read: the store does not answer"), CorpusReading.problems(read));
        assertEquals(List.of("sound"), CorpusReading.texts(read));
    }
}
