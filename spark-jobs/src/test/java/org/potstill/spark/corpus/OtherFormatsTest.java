// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.apache.commons.compress.compressors.lz4.FramedLZ4CompressorOutputStream;
import org.apache.commons.compress.compressors.snappy.FramedSnappyCompressorOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.compress.Lz4Codec;
import org.apache.hadoop.io.compress.SnappyCodec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.settings.Settings;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

/** Files that are no text, or not as their names say: named for what they are, with what to do, in plain words. */
class OtherFormatsTest {
    private static final String LINES = "{\"text\": \"one\"}\n{\"text\": \"two\"}\n";
    private static final String PAGE = "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Please log in.</body></html>\n";

    @TempDir
    private Path folder;

    private interface Compressor {
        OutputStream around(OutputStream out) throws Exception;
    }

    private static byte[] compressed(Compressor compressor, byte[] bytes) throws Exception {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        try (OutputStream out = compressor.around(all)) {
            out.write(bytes);
        }
        return all.toByteArray();
    }

    private static byte[] lines() {
        return LINES.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] hex(String bytes) {
        return HexFormat.of().parseHex(bytes);
    }

    private static byte[] joined(byte[] one, byte[] other) {
        byte[] all = Arrays.copyOf(one, one.length + other.length);
        System.arraycopy(other, 0, all, one.length, other.length);
        return all;
    }

    private List<Document> read(String name, byte[] bytes, String... overrides) {
        Distillery.write(folder.resolve(name), bytes);
        return CorpusReading.read(folder.resolve(name), overrides);
    }

    private String problem(String name, byte[] bytes) {
        List<Document> documents = read(name, bytes);
        assertEquals(1, documents.size(), documents.toString());
        return documents.get(0).problem();
    }

    @ParameterizedTest
    @CsvSource({"lz4's legacy format, lz4 -d, 02214c1812000000f0017b2274657874223a20226f6e65227d0a", "compress, gzip -d, 1f9d907b44d0a1",
        "lzma, xz -d, 5d00008000ffffffffffffffff003d88", "a TFRecord file, '', 0a00000000000000aea3bf3a6f6e65207265636f72646c2e29bd",
        "a BSON file, '', 13000000027465787400040000006f6e650000", "a Python pickle, '', 80025d71007d7101580400000074",
        "a Python pickle, '', 80049514000000000000005d947d", "a Python pickle, '', 80028a0a6cfc9c46f9206aa850192e80024de903",
        "a PyTorch checkpoint, '', 504b0304000008080000000000000000000000000000000000000a001800612f646174612e706b6c464214005a5a5a5a",
        "a GGML model, '', 746a676703000000007d0000", "ONNX Runtime's own format, '', 180000004f52544d00000000",
        "a safetensors file, '', 48000000000000007b2274657874223a", "a picture, '', 474946383961010001000000",
        "a document in Rich Text Format, '', 7b5c727466315c616e7369"})
    void formatsThatAreNotReadAreNamed(String name, String remedy, String bytes) throws Exception {
        for (String ending : List.of("txt", "jsonl", "jsonl.lz4", "parquet")) {
            String problem = problem("a." + ending, hex(bytes));
            assertTrue(problem.contains(name) && problem.contains(remedy), ending + ": " + problem);
        }
        String inside = problem("a.txt.gz", compressed(GZIPOutputStream::new, hex(bytes)));
        assertTrue(inside.contains("inside it is ") && inside.contains(name), inside);
    }

    @ParameterizedTest
    @ValueSource(strings = {"lmgg of a model", "tjgg", "GIF89a was a format.", "LZIP", "x^2 + 1", "OORTORTM",
        "12345678{\"a\": 1}"})
    void aTextMayBeginAsTheseFormatsDo(String text) {
        assertEquals(List.of(text), CorpusReading.texts(read("a.txt", text.getBytes(StandardCharsets.UTF_8))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\u0280]e phonetic, in UTF-16", "\u5e78\u798f\u306a\u738b\u5b50, a happy prince"})
    void aTextInUtf16MayBeginAsTheseFormatsDo(String text) {
        assertEquals(List.of(text), CorpusReading.texts(read("a.txt", text.getBytes(StandardCharsets.UTF_16LE))));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 6, 9})
    void zlibIsReadToTheEndOfItsLastMemberWhateverTheName(int level) throws Exception {
        byte[] member = compressed(out -> new DeflaterOutputStream(out, new Deflater(level)), lines());
        for (String ending : List.of("jsonl", "jsonl.deflate", "jsonl.zlib")) {
            assertEquals(List.of("one", "one", "two", "two"), CorpusReading.texts(read("a." + ending, joined(member, member))));
        }
        String problem = problem("b.txt.zlib", Arrays.copyOf(member, member.length - 6));
        assertTrue(problem.contains("damaged or truncated"), problem);
    }

    @Test
    void hadoopsOwnBlocksAreReadByTheNameAndOtherBytesOfThatNameAreNot() throws Exception {
        Lz4Codec lz4 = new Lz4Codec();
        lz4.setConf(new Configuration());
        SnappyCodec snappy = new SnappyCodec();
        snappy.setConf(new Configuration());
        assertEquals(List.of("one", "two"), CorpusReading.texts(read("a.jsonl.lz4", compressed(lz4::createOutputStream, lines()))));
        assertEquals(List.of("one", "two"), CorpusReading.texts(read("a.jsonl.snappy", compressed(snappy::createOutputStream, lines()))));
        assertEquals(List.of("one", "two"), CorpusReading.texts(read("b.jsonl.lz4", lines())));
        for (String name : List.of("c.jsonl.lz4", "c.jsonl.snappy", "c.jsonl.gz", "c.jsonl.deflate")) {
            String problem = problem(name, hex("0000000f7fffffffab562a49ad2851b2"));
            assertTrue(problem.contains("by its name it is compressed"), problem);
        }
    }

    @Test
    void whatOnlyMoreMemoryCouldDecompressIsNotCalledDamaged() throws Exception {
        String problem = problem("a.jsonl.zst", joined(hex("28b52ffd00a8290000"), "hello".getBytes(StandardCharsets.UTF_8)));
        assertTrue(problem.contains("window") && problem.contains("--long") && !problem.contains("damaged"), problem);
        problem = problem("b.jsonl.zst", joined(hex("28b52ffd015807290000"), "hello".getBytes(StandardCharsets.UTF_8)));
        assertTrue(problem.contains("dictionary") && !problem.contains("damaged"), problem);
        byte[] xz = compressed(out -> new XZOutputStream(out, new LZMA2Options(1)), lines());
        // The block header's size of the dictionary: 1.5 GiB.
        xz[16] = 37;
        CRC32 crc = new CRC32();
        crc.update(xz, 12, 8);
        ByteBuffer.wrap(xz).order(ByteOrder.LITTLE_ENDIAN).putInt(20, (int) crc.getValue());
        problem = problem("c.jsonl.xz", xz);
        assertTrue(problem.contains("window") && problem.contains("dict=") && !problem.contains("damaged"), problem);
    }

    @Test
    void damageOfAnyKindIsToldWithoutNamesOfClasses() throws Exception {
        Lz4Codec lz4 = new Lz4Codec();
        lz4.setConf(new Configuration());
        List<Compressor> compressors = List.of(GZIPOutputStream::new, BZip2CompressorOutputStream::new, ZstdOutputStream::new, DeflaterOutputStream::new,
                out -> new XZOutputStream(out, new LZMA2Options(1)), FramedLZ4CompressorOutputStream::new,
                FramedSnappyCompressorOutputStream::new, lz4::createOutputStream);
        Random random = new Random(15);
        String text = Distillery.text(15, 2000);
        for (int i = 0; i < 12 * compressors.size(); i++) {
            byte[] bytes = compressed(compressors.get(i % compressors.size()), text.getBytes(StandardCharsets.UTF_8));
            for (int flips = random.nextInt(4); flips >= 0; flips--) {
                bytes[4 + random.nextInt(flips % 2 == 0 ? 40 : bytes.length - 4)] = (byte) random.nextInt();
            }
            Distillery.write(folder.resolve(i + ".txt.lz4"), bytes);
        }
        List<String> problems = CorpusReading.problems(CorpusReading.read(folder));
        assertTrue(problems.size() > 40, problems.size() + " problems");
        for (String problem : problems) {
            assertFalse(problem.matches("(?s).*(\\w(Exception|Error)|[a-z]\\.[A-Z]|out of bounds|null).*"), problem);
        }
    }

    @Test
    void aWebPageIsNoDataAndAsTextIsRead() {
        for (String page : List.of(PAGE, "\n  " + PAGE.toLowerCase(Locale.ROOT), "\uFEFF<html lang='en'>", "<?xml version=\"1.0\"?><Error/>")) {
            for (String ending : List.of("jsonl", "json", "parquet")) {
                String problem = problem("a." + ending, page.getBytes(StandardCharsets.UTF_8));
                assertTrue(problem.contains("a web page or an XML document"), problem);
            }
            assertEquals(1, CorpusReading.texts(read("a.txt", page.getBytes(StandardCharsets.UTF_8))).size());
        }
        Distillery.write(folder.resolve("s/a.txt"), PAGE + "----" + PAGE + "----About <html>.");
        Corpus corpus = new Corpus(Distillery.spark(), Settings.load(List.of(), List.of("corpus.path=" + folder + "/s", "corpus.separator=----")));
        assertEquals(3, corpus.documents().count());
        assertEquals(2, corpus.webPages());
        assertEquals(List.of("one", "two"), CorpusReading.texts(read("b.jsonl", ("<junk>\n" + LINES).getBytes(StandardCharsets.UTF_8))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"ISO-2022-JP", "ISO-2022-KR"})
    void encodingsWithEscapeSequencesAreNoTextAndTheWayToConvertThemIsNamed(String charset) {
        byte[] story = "\u6771\u4eac, {\"text\": \"\u6771\u4eac\"}".getBytes(Charset.forName(charset));
        assertTrue(problem("a.txt", story).contains("iconv -f ISO-2022-JP"), problem("a.txt", story));
        byte[] lines = "{\"text\": \"\u6771\u4eac\"}".getBytes(Charset.forName("ISO-2022-JP"));
        assertTrue(problem("a.jsonl", lines).contains("iconv -f ISO-2022-JP"), problem("a.jsonl", lines));
        String terminal = "\u001b[1mbold\u001b(B\u001b[m costs \u001b[32m$5";
        assertEquals(List.of(terminal), CorpusReading.texts(read("b.txt", terminal.getBytes(StandardCharsets.UTF_8))));
    }

    @Test
    void shardsAreReadAsTheFormatBeforeTheirNumbers() throws Exception {
        Distillery.write(folder.resolve("s/a.jsonl-00000-of-00003"), "{\"text\": \"one\"}");
        Distillery.write(folder.resolve("s/a.jsonl-00001-of-00003"), "{\"text\": \"two\"}");
        Distillery.write(folder.resolve("s/a.jsonl.gz-00002-of-00003"),
                compressed(GZIPOutputStream::new, "{\"text\": \"three\"}".getBytes(StandardCharsets.UTF_8)));
        Distillery.write(folder.resolve("s/a-00000-of-00003.jsonl.gz"),
                compressed(GZIPOutputStream::new, "{\"text\": \"four\"}".getBytes(StandardCharsets.UTF_8)));
        assertEquals(List.of("four", "one", "three", "two"), CorpusReading.texts(CorpusReading.read(folder.resolve("s"))));
        assertTrue(FileFormat.isCompressed("a.jsonl.gz-00002-of-00003"));
        Distillery.write(folder.resolve("m/a.jsonl-00000-of-00003"), "{\"text\": \"one\"}");
        Distillery.write(folder.resolve("m/b.txt"), "text");
        UserException mixed = assertThrows(UserException.class, () -> CorpusReading.read(folder.resolve("m")));
        assertTrue(mixed.remedy().contains("*.jsonl-*-of-*"), mixed.remedy());
        assertEquals(List.of("one", "two"), CorpusReading.texts(CorpusReading.read(folder, "corpus.path=" + folder + "/s/*.jsonl-*-of-*")));
    }

    @Test
    void aFolderOfPointersSaysHowToFetchWhatTheyStandFor() {
        for (String name : List.of("a.jsonl.dvc", "b.jsonl.dvc")) {
            Distillery.write(folder.resolve(name), "outs:\n- md5: 4d7a\n  size: 12345\n  path: a.jsonl\n");
        }
        UserException error = assertThrows(UserException.class, () -> CorpusReading.read(folder));
        assertTrue(error.cause().contains("dvc pull") && error.remedy().contains("fetch"), error.getMessage());
        assertFalse(error.remedy().contains("corpus.format"), error.remedy());
    }

    @ParameterizedTest
    @CsvSource({"'[1, 2]', a list", "'{\"oid\": 1}', an object"})
    void anIdThatIsNoValueIsNamedAsWhatItIs(String value, String named) {
        byte[] line = ("{\"text\": \"one\", \"id\": " + value + "}\n").getBytes(StandardCharsets.UTF_8);
        for (String name : List.of("a.jsonl", "a.json")) {
            String problem = read(name, line, "corpus.id-field=id").get(0).problem();
            assertTrue(problem.contains("no id in the field 'id'") && problem.contains("it is " + named), problem);
        }
        assertEquals(List.of("one"), CorpusReading.texts(read("a.jsonl", line)));
    }
}
