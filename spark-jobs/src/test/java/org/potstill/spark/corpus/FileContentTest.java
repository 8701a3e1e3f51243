// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.apache.commons.compress.compressors.lz4.FramedLZ4CompressorOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

/** What the bytes of files are taken for, whatever their names say. */
class FileContentTest {
    private static final String STORY = "Zażółć gęślą jaźń.\nThe pot still.\n";

    @TempDir
    private Path folder;

    private List<Document> read(String... overrides) {
        return CorpusReading.read(folder, overrides);
    }

    private interface Compressor {
        OutputStream around(OutputStream out) throws Exception;
    }

    private static byte[] compressed(String codec, byte[] bytes) throws Exception {
        Compressor compressor = switch (codec) {
            case "gz" -> GZIPOutputStream::new;
            case "bz2" -> BZip2CompressorOutputStream::new;
            case "zst" -> ZstdOutputStream::new;
            case "xz" -> out -> new XZOutputStream(out, new LZMA2Options(1));
            default -> FramedLZ4CompressorOutputStream::new;
        };
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        try (OutputStream out = compressor.around(all)) {
            out.write(bytes);
        }
        return all.toByteArray();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] twice(byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(bytes);
        out.writeBytes(bytes);
        return out.toByteArray();
    }

    @ParameterizedTest
    @ValueSource(strings = {"gz", "bz2", "zst", "xz", "lz4"})
    void compressedFilesAreReadToTheEndOfTheirLastMember(String codec) throws Exception {
        Distillery.write(folder.resolve("t/a.txt." + codec), twice(compressed(codec, utf8(STORY))));
        assertEquals(List.of(STORY + STORY), CorpusReading.texts(read("corpus.path=" + folder + "/t")));
        Distillery.write(folder.resolve("j/a.jsonl." + codec), twice(compressed(codec, utf8("{\"text\": \"one\"}\n{\"text\": \"two\"}\n"))));
        assertEquals(List.of("one", "one", "two", "two"), CorpusReading.texts(read("corpus.path=" + folder + "/j")));
        Distillery.write(folder.resolve("n/a.txt"), compressed(codec, utf8(STORY)));
        assertEquals(List.of(STORY), CorpusReading.texts(read("corpus.path=" + folder + "/n")));
    }

    @Test
    void zstdMayBeginWithAFrameToBeSkipped() throws Exception {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        file.writeBytes(HexFormat.of().parseHex("502a4d180400000001020304"));
        file.writeBytes(compressed("zst", utf8(STORY)));
        Distillery.write(folder.resolve("a.txt.zst"), file.toByteArray());
        assertEquals(List.of(STORY), CorpusReading.texts(read()));
    }

    /** A thousand documents as JSON lines. */
    private static String lines() {
        return IntStream.range(0, 1000).mapToObj(i -> "{\"text\": \"" + Distillery.text(i, 5) + "\"}\n").collect(Collectors.joining());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gz", "bz2", "zst", "xz", "lz4"})
    void aFileThatIsCutOffIsInTheQuarantineByNameAndTheOthersAreRead(String codec) throws Exception {
        byte[] whole = compressed(codec, utf8(lines()));
        Distillery.write(folder.resolve("a.jsonl." + codec), Arrays.copyOf(whole, whole.length / 2));
        Distillery.write(folder.resolve("b.jsonl"), "{\"text\": \"fine\"}");
        List<Document> documents = read();
        assertTrue(CorpusReading.texts(documents).contains("fine"));
        Document bad = documents.stream().filter(document -> document.problem() != null).reduce((one, other) -> other).orElseThrow();
        assertTrue(bad.id().endsWith("a.jsonl." + codec) && bad.problem().contains("damaged or truncated"), bad.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gz", "bz2", "zst", "xz", "lz4"})
    void aDamagedArchiveIsOneFindingNotOnePerLine(String codec) throws Exception {
        String array = "[" + lines().replace("}\n{", "},\n{") + "]";
        for (String json : List.of(lines(), array)) {
            byte[] whole = compressed(codec, utf8(json));
            for (int at : new int[] {whole.length / 3, whole.length / 2, whole.length - whole.length / 5}) {
                byte[] damaged = whole.clone();
                damaged[at] ^= 0x55;
                damaged[at + 1] ^= 0x2a;
                Distillery.write(folder.resolve("a.jsonl." + codec), damaged);
                List<String> problems = CorpusReading.problems(read());
                assertEquals(1, problems.size(), problems.toString());
                assertTrue(problems.get(0).contains("damaged or truncated"), problems.toString());
            }
        }
        Distillery.write(folder.resolve("a.jsonl." + codec), compressed(codec, utf8("{\"text\": 1}\n{\"text\": 2}\n{\"text\": \"fine\"}\n")));
        assertEquals(2, CorpusReading.problems(read()).size());
    }

    @ParameterizedTest
    @CsvSource({"UTF-16LE, fffe", "UTF-16BE, feff", "UTF-32LE, fffe0000", "UTF-32BE, 0000feff", "UTF-8, efbbbf",
        "UTF-16LE, ''", "UTF-16BE, ''", "UTF-32LE, ''", "UTF-32BE, ''"})
    void unicodeIsReadWithAndWithoutAMark(String charset, String mark) throws Exception {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        text.writeBytes(HexFormat.of().parseHex(mark));
        text.writeBytes(STORY.getBytes(Charset.forName(charset)));
        Distillery.write(folder.resolve("t/a.txt"), text.toByteArray());
        assertEquals(List.of(STORY), CorpusReading.texts(read("corpus.path=" + folder + "/t")));
        Distillery.write(folder.resolve("z/a.txt.gz"), compressed("gz", text.toByteArray()));
        assertEquals(List.of(STORY), CorpusReading.texts(read("corpus.path=" + folder + "/z")));
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        lines.writeBytes(HexFormat.of().parseHex(mark));
        lines.writeBytes("{\"text\": \"żółć\"}\n{\"text\": \"one\"}\n".getBytes(Charset.forName(charset)));
        Distillery.write(folder.resolve("j/a.jsonl"), lines.toByteArray());
        assertEquals(List.of("one", "żółć"), CorpusReading.texts(read("corpus.path=" + folder + "/j")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"})
    void unicodeWithoutAMarkIsReadWhateverItsScript(String charset) {
        // The second byte of these, or the first, is zero as in ASCII: U+4E00, U+3000, U+0400, U+1F600.
        for (String text : List.of("\u7b2c\u4e00\u7ae0\u3000\u306f\u3058\u3081\u306b\r\n\u4e00\u3001\u4e8c 2.\n\u3000\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\n",
                "\u0400\u043b\u0438\u0441\u0430 \u0438 \u0432\u043e\u043b\u043a, \u0434\u0432\u0430.", "smile \ud83d\ude00 at the pot",
                "{\"text\": \"\u4e00\u4e8c\u4e09\"}")) {
            Distillery.write(folder.resolve("a.txt"), text.getBytes(Charset.forName(charset)));
            assertEquals(List.of(text), CorpusReading.texts(read()));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Shift_JIS", "GBK", "EUC-KR", "Big5", "windows-1252", "windows-1251"})
    void bytesOfOtherEncodingsAreNeverTakenForUnicode(String charset) {
        int tried = 0;
        for (String text : List.of("\u65e5\u672c\u8a9e\u6587\u7ae0", "\u4e2d\u6587\u6587\u7ae0", "caf\u00e9 noir \u00e0 la cr\u00e8me", "\u043b\u0438\u0441\u0430", "\ud55c\uad6d\uc5b4")) {
            for (String zeros : List.of("", "\0", " \0 a\0 bc\0 def\0 gh \0\0")) {
                byte[] bytes = (text + zeros + text).getBytes(Charset.forName(charset));
                if (new String(bytes, Charset.forName(charset)).equals(text + zeros + text)) {
                    tried++;
                    assertTrue(Encoding.of(bytes).isUtf8(), text + zeros + Encoding.of(bytes));
                }
            }
        }
        assertTrue(tried > 0);
    }

    @Test
    void unicodeThatNoAsciiCharacterGivesAwayIsNotGuessed() {
        for (String charset : List.of("UTF-16LE", "UTF-16BE")) {
            assertTrue(Encoding.of("\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3067\u3059".getBytes(Charset.forName(charset))).isUtf8());
        }
    }

    @ParameterizedTest
    @CsvSource({"PDF document, 255044462d312e340a312030206f626a", "ORC file, 4f52430a0b0a03000000", "Arrow file, 4152524f57310000ffffffff",
        "Avro file, 4f626a0104", "zip archive, 504b030414000000", "Parquet file, 5041523115041502", "picture, 89504e470d0a1a0a0000",
        "SQLite database, 53514c69746520666f726d6174203300"})
    void otherFormatsAreNamedWhateverTheFileIsCalled(String name, String bytes) throws Exception {
        byte[] file = HexFormat.of().parseHex(bytes);
        for (String ending : List.of("txt", "jsonl")) {
            Distillery.write(folder.resolve(ending + "/a." + ending), file);
            String problem = CorpusReading.problems(read("corpus.path=" + folder + "/" + ending)).get(0);
            assertTrue(problem.contains(name), ending + ": " + problem);
        }
        Distillery.write(folder.resolve("z/a.txt.gz"), compressed("gz", file));
        String problem = CorpusReading.problems(read("corpus.path=" + folder + "/z")).get(0);
        assertTrue(problem.contains("compressed, and inside it is") && problem.contains(name), problem);
    }

    @Test
    void aTextMayBeginAsAFormatDoes() {
        for (String text : List.of("ORC is a columnar format.", "PAR1 and PARE are magic.", "BZh91 was a name.", "SEQ", "GGUF holds models.")) {
            Distillery.write(folder.resolve(text.substring(0, 3) + ".txt"), text);
        }
        assertEquals(5, CorpusReading.texts(read()).size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"txt", "jsonl", "parquet"})
    void pointersToFilesThatWereNotFetchedAreNamed(String ending) {
        Map.of("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull",
                "version https://hawser.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull",
                "/annex/objects/SHA256E-s12345--4d7a." + ending + "\n", "git annex get",
                "../../.git/annex/objects/x/y/SHA256E-s12345--4d7a." + ending, "git annex get",
                "outs:\n- md5: 4d7a\n  size: 12345\n  path: a." + ending + "\n", "dvc pull",
                "# xet version 0\nfilesize = 12345\n", "git xet pull").forEach((pointer, remedy) -> {
                    Distillery.write(folder.resolve("a." + ending), pointer);
                    Distillery.write(folder.resolve("b.md"), "about");
                    String problem = CorpusReading.problems(read("corpus.path=" + folder + "/*." + ending)).get(0);
                    assertTrue(problem.contains(remedy), problem);
                });
    }

    @Test
    void dvcFilesAloneAreNamedToo() {
        Distillery.write(folder.resolve("a.txt.dvc"), "outs:\n- md5: 4d7a\n  size: 12345\n  path: a.txt\n");
        assertTrue(assertThrows(UserException.class, this::read).cause().contains("dvc pull"));
    }

    @Test
    void windows1252IsNamedWithTheWayToConvertIt() {
        Distillery.write(folder.resolve("a.txt"), "café noir".getBytes(Charset.forName("windows-1252")));
        assertEquals(List.of("not UTF-8: byte 0xE9 at offset 3; if it is in another encoding, such as Windows-1252, convert it (iconv -f WINDOWS-1252 -t UTF-8)"),
                CorpusReading.problems(read()));
    }

    @Test
    void halvesOfSurrogatePairsAreNoText() {
        byte[] cesu = {'a', (byte) 0xed, (byte) 0xa0, (byte) 0xbd, (byte) 0xed, (byte) 0xb8, (byte) 0x80};
        Distillery.write(folder.resolve("t/a.txt"), cesu);
        Distillery.write(folder.resolve("t/b.txt"), utf8("a\ud83d\ude00"));
        List<Document> documents = read("corpus.path=" + folder + "/t");
        assertEquals(List.of("a\ud83d\ude00"), CorpusReading.texts(documents));
        assertTrue(CorpusReading.problems(documents).get(0).contains("CESU-8"), documents.toString());
        Distillery.write(folder.resolve("u/a.txt"), HexFormat.of().parseHex("fffe61003dd861006200"));
        assertEquals(1, CorpusReading.problems(read("corpus.path=" + folder + "/u")).size());
        Distillery.write(folder.resolve("j/a.jsonl"), "{\"text\": \"a\\ud83d b\"}\n{\"text\": \"a\\ude00\\ud83d\"}\n{\"text\": \"a\\ud83d\\ude00\"}\n");
        Distillery.write(folder.resolve("j/b.json"), "[{\"text\": \"\\udfff\"}]");
        documents = read("corpus.path=" + folder + "/j");
        assertEquals(List.of("a\ud83d\ude00"), CorpusReading.texts(documents));
        assertEquals(3, CorpusReading.problems(documents).size(), documents.toString());
        assertTrue(CorpusReading.problems(documents).contains("it holds half of a surrogate pair, 0xD83D at character 1, which is not text"), documents.toString());
    }

    @Test
    void zerosAreNoText() {
        Distillery.write(folder.resolve("a.txt"), "ab\0c");
        Distillery.write(folder.resolve("b.txt"), new byte[1000]);
        assertEquals(2, CorpusReading.problems(read()).stream().filter(problem -> problem.contains("NUL")).count());
        Distillery.write(folder.resolve("j/a.jsonl"), "{\"text\": \"a\\u0000b\"}");
        assertTrue(CorpusReading.problems(read("corpus.path=" + folder + "/j")).get(0).contains("NUL"));
    }

    @Test
    void aFileWithoutReadPermissionIsInTheQuarantine() throws Exception {
        for (String ending : List.of("txt", "jsonl", "parquet")) {
            Path file = folder.resolve(ending + "/a." + ending);
            Distillery.write(file, "{\"text\": \"a\"}");
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"));
            Assumptions.assumeFalse(Files.isReadable(file), "root reads everything");
            List<Document> documents = read("corpus.path=" + folder + "/" + ending);
            assertTrue(documents.get(0).id().endsWith("a." + ending) && documents.get(0).problem().startsWith("cannot be read"), documents.toString());
        }
    }

    @Test
    void aBombIsNotUnpacked() throws Exception {
        ByteArrayOutputStream bomb = new ByteArrayOutputStream();
        try (OutputStream out = new ZstdOutputStream(bomb)) {
            byte[] zeros = new byte[1 << 20];
            Arrays.fill(zeros, (byte) ' ');
            for (int i = 0; i < 1100; i++) {
                out.write(zeros);
            }
        }
        Distillery.write(folder.resolve("t/a.txt.zst"), bomb.toByteArray());
        assertTrue(CorpusReading.problems(read("corpus.path=" + folder + "/t")).get(0).contains("max-document-mib"));
        Distillery.write(folder.resolve("j/a.jsonl.zst"), bomb.toByteArray());
        assertTrue(CorpusReading.problems(read("corpus.path=" + folder + "/j")).get(0).contains("that is not text"));
    }

    @Test
    void separatorsDivideATextFileIntoDocuments() throws Exception {
        String stories = "one\nmore\n<|endoftext|>\ntwo\n<|endoftext|>\r\n\n<|endoftext|>\nthree\n<|endoftext|>\n";
        Distillery.write(folder.resolve("t/a.txt"), stories);
        assertEquals(List.of("one\nmore", "three", "two"), CorpusReading.texts(read("corpus.path=" + folder + "/t", "corpus.separator=<|endoftext|>")));
        Distillery.write(folder.resolve("z/a.txt.gz"), compressed("gz", utf8("\uFEFF" + stories)));
        assertEquals(List.of("one\nmore", "three", "two"), CorpusReading.texts(read("corpus.path=" + folder + "/z", "corpus.separator=<|endoftext|>")));
        assertEquals(1, read("corpus.path=" + folder + "/t").size());
    }
}
