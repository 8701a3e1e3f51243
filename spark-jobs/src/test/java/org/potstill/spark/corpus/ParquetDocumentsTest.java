// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.function.Consumer;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.ColumnMetaData;
import org.apache.parquet.format.CompressionCodec;
import org.apache.parquet.format.ConvertedType;
import org.apache.parquet.format.DataPageHeader;
import org.apache.parquet.format.Encoding;
import org.apache.parquet.format.FieldRepetitionType;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.PageHeader;
import org.apache.parquet.format.PageType;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.SchemaElement;
import org.apache.parquet.format.Type;
import org.apache.parquet.format.Util;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.api.Binary;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;

class ParquetDocumentsTest {
    /** Written by pyarrow: {@code pa.table({"text": ["a b"], "d": pa.array([numpy.float16(1)])})}. */
    private static final String FLOAT16 = "UEFSMRUEFQ4VDkwVAhUAEgAAAwAAAGEgYhUAFRIVEiwVAhUQFQYVBhwAAAACAAAAAgEBAgAVBBUEFQRMFQIVABIAAAA8FQAVEhUSLBUCFRAVBhUG"
            + "HAAAAAIAAAACAQECABUEGTw1ABgGc2NoZW1hFQQAFQwlAhgEdGV4dCUATBwAAAAVDhUEFQIYAWRs/AAAABYCGRwZLCYAHBUMGTUABhAZGAR0ZXh0FQAWAhZiFmIm"
            + "MiYIKSwVBBUAFQIAFQAVEBUCADwWBhkGGSYAAgAAACYAHBUOGTUABhAZGAFkFQAWAhZYFlgmigEmaiksFQQVABUCABUAFRAVAgA8KQYZJgACAAAAFroBFgImCBa6"
            + "AQAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGSwcAAAcAAAA2gAAAFBBUjE=";
    /** Written by pyarrow: {@code pa.table({"text": ["a b"]})}, compression brotli. */
    private static final String BROTLI = "UEFSMRUEFQ4VFkwVAhUAEgAACwOAAwAAAGEgYgMVABUSFRosFQIVEBUGFQYcAAAAGwgAACQBAgRClwCOaxUEGSw1ABgGc2NoZW1hFQIAFQwlAhgEdGV4dCUATBwA"
            + "AAAWAhkcGRwmABwVDBk1AAYQGRgEdGV4dBUIFgIWYhZyJjomCCksFQQVABUCABUAFRAVAgA8FgYZBhkmAAIAAAAWYhYCJggWcgAoIHBhcnF1ZXQtY3BwLWFycm93"
            + "IHZlcnNpb24gMjYuMC4xGRwcAAAAkgAAAFBBUjE=";
    /** Written by pyarrow: {@code pa.table({"text": pa.nulls(1)})}, without compression and Arrow's schema. */
    private static final String NULLS = "UEFSMRUEFQAVAEwVABUAEgAAFQAVDhUOLBUCFRAVBhUGHAAAAAIAAAACAAAVBBksNQAYBnNjaGVtYRUCABUCJQIYBHRleHRsvAAAABYCGRwZHCYAHBUCGTUA"
            + "BhAZGAR0ZXh0FQAWAhZQFlAmJCYIKSwVBBUAFQIAFQAVEBUCADwpBhkmAgAAAAAWUBYCJggWUAAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYu"
            + "MC4xGRwcAAAAjgAAAFBBUjE=";

    @TempDir
    private Path folder;

    private List<Document> read(String... overrides) {
        return CorpusReading.read(folder, overrides);
    }

    private void write(String name, String columns, Consumer<Group> row) {
        ParquetFiles.write(folder.resolve(name), "message m { " + columns + " }", CompressionCodecName.SNAPPY, List.of(row));
    }

    private void oneGoodFile() {
        ParquetFiles.write(folder.resolve("good.parquet"), "fine");
    }

    /** What is said of a file beside a good one, which is read. */
    private String problem(String... overrides) {
        oneGoodFile();
        List<Document> documents = read(overrides);
        assertEquals(List.of("fine"), CorpusReading.texts(documents), documents.toString());
        assertEquals(1, CorpusReading.problems(documents).size(), documents.toString());
        return CorpusReading.problems(documents).get(0);
    }

    @Test
    void columnsThatNobodyAskedForMayBeOfAnyType() {
        write("a.parquet", "optional binary text (STRING); required int64 d (TIMESTAMP(NANOS,false)); required int64 t (TIME(NANOS,true)); "
                + "required fixed_len_byte_array(16) u (UUID); required fixed_len_byte_array(32) n (DECIMAL(76,2)); required int96 i; "
                + "repeated group l { optional double x; }", group -> group.append("text", "one").append("d", 1L).append("t", 1L)
                .append("u", Binary.fromConstantByteArray(new byte[16])).append("n", Binary.fromConstantByteArray(new byte[32]))
                .append("i", Binary.fromConstantByteArray(new byte[12])));
        Distillery.write(folder.resolve("b.parquet"), Base64.getDecoder().decode(FLOAT16));
        assertEquals(List.of("a b", "one"), CorpusReading.texts(read()));
    }

    @ParameterizedTest
    @EnumSource(value = CompressionCodecName.class, names = {"UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4_RAW"})
    void itsCodecsAreRead(CompressionCodecName codec) {
        ParquetFiles.write(folder.resolve("a.pq"), "message m { required binary text; }", codec, List.of(group -> group.append("text", "one")));
        assertEquals(List.of("one"), CorpusReading.texts(read()));
    }

    @Test
    void aTruncatedFileIsInTheQuarantineByName() throws Exception {
        ParquetFiles.write(folder.resolve("bad.parquet"), Distillery.text(1, 500));
        byte[] whole = Files.readAllBytes(folder.resolve("bad.parquet"));
        for (int length : new int[] {1, 3, 4, 11, 300, whole.length - 9, whole.length - 1}) {
            Distillery.write(folder.resolve("bad.parquet"), Arrays.copyOf(whole, length));
            String problem = problem();
            assertTrue(problem.contains("Parquet"), length + ": " + problem);
            assertTrue(read().stream().anyMatch(document -> document.id().endsWith("bad.parquet")));
        }
    }

    @Test
    void flippedBitsNeverEndTheJob() throws Exception {
        oneGoodFile();
        ParquetFiles.write(folder.resolve("bad.parquet"), "one", "two", Distillery.text(1, 100));
        byte[] whole = Files.readAllBytes(folder.resolve("bad.parquet"));
        for (int at = 4; at < whole.length; at += 7) {
            byte[] damaged = whole.clone();
            damaged[at] ^= 0x55;
            Distillery.write(folder.resolve("bad.parquet"), damaged);
            assertTrue(CorpusReading.texts(read()).contains("fine"), "byte " + at);
        }
    }

    /** The largest claim would take 2 GiB, more than the tests' heap. */
    @ParameterizedTest
    @EnumSource(value = CompressionCodec.class, names = {"SNAPPY", "GZIP", "ZSTD"})
    void aPageThatClaimsMoreThanItCanHaveIsNotAllocated(CompressionCodec codec) throws Exception {
        oneGoodFile();
        PageHeader header = new PageHeader(PageType.DATA_PAGE, Integer.MAX_VALUE - 16, 100);
        header.setData_page_header(new DataPageHeader(1, Encoding.PLAIN, Encoding.RLE, Encoding.RLE));
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        file.writeBytes("PAR1".getBytes(StandardCharsets.US_ASCII));
        Util.writePageHeader(header, file);
        file.writeBytes(new byte[100]);
        int chunk = file.size() - 4;
        ColumnMetaData column = new ColumnMetaData(Type.BYTE_ARRAY, List.of(Encoding.PLAIN), List.of("text"), codec, 1, chunk, chunk, 4);
        SchemaElement root = new SchemaElement("m").setNum_children(1);
        SchemaElement text = new SchemaElement("text").setType(Type.BYTE_ARRAY).setRepetition_type(FieldRepetitionType.OPTIONAL)
                .setConverted_type(ConvertedType.UTF8);
        RowGroup rows = new RowGroup(List.of(new ColumnChunk(4).setMeta_data(column)), chunk, 1);
        Util.writeFileMetaData(new FileMetaData(1, List.of(root, text), 1, List.of(rows)), file);
        file.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(file.size() - 4 - chunk).array());
        file.writeBytes("PAR1".getBytes(StandardCharsets.US_ASCII));
        Distillery.write(folder.resolve("bad.parquet"), file.toByteArray());
        assertTrue(problem().contains("claims to have 2147483631 bytes"), problem());
    }

    @Test
    void aTextColumnOfAnotherTypeIsNamedWithItsType() {
        write("bad.parquet", "optional int64 text;", group -> group.append("text", 1L));
        assertEquals("the text column 'text' is of type int64, not a string", problem());
        write("bad.parquet", "optional double text;", group -> group.append("text", 1.0));
        assertEquals("the text column 'text' is of type double, not a string", problem());
        Distillery.write(folder.resolve("bad.parquet"), Base64.getDecoder().decode(NULLS));
        assertEquals("the text column 'text' is of type null (no row has a value), not a string", problem());
        write("bad.parquet", "optional group text (LIST) { repeated group list { optional binary element (STRING); } }", group -> group.addGroup("text"));
        assertEquals("the text column 'text' is a list, not a single value", problem());
        write("bad.parquet", "required group text { required binary a (STRING); }", group -> group.addGroup("text").append("a", "x"));
        assertEquals("the text column 'text' is a struct of a, not a single value", problem());
        write("bad.parquet", "required binary content (STRING); required int32 n;", group -> group.append("content", "x").append("n", 1));
        assertEquals("no text column 'text': its columns are content, n", problem());
    }

    @Test
    void aCorpusWithoutTheColumnsIsRefusedBeforeAnyWork() {
        write("a.parquet", "required binary content (STRING); required int32 n;", group -> group.append("content", "x").append("n", 1));
        UserException error = assertThrows(UserException.class, this::read);
        assertTrue(error.cause().contains("no text column 'text': its columns are content, n") && error.cause().contains("a.parquet"), error.getMessage());
        assertTrue(error.problem().contains("corpus.text-field = text") && !error.problem().contains("id-field"), error.getMessage());
        error = assertThrows(UserException.class, () -> read("corpus.text-field=content", "corpus.id-field=date"));
        assertTrue(error.problem().contains("corpus.text-field = content and corpus.id-field = date"), error.getMessage());
        assertTrue(error.cause().contains("no id column 'date'"), error.getMessage());
    }

    @Test
    void aCodecThatIsNotThereIsNamed() {
        Distillery.write(folder.resolve("bad.parquet"), Base64.getDecoder().decode(BROTLI));
        assertTrue(problem().contains("compressed with BROTLI"), problem());
    }

    @Test
    void columnsInStructsAreNamedWithDotsAndAColumnWhoseNameHasTheDotComesFirst() {
        write("a.parquet", "optional group doc { optional int32 id; optional binary text (STRING); }",
                group -> group.addGroup("doc").append("id", 7).append("text", "one"));
        assertEquals(List.of(new Document("7", "one", false, null)), read("corpus.text-field=doc.text", "corpus.id-field=doc.id"));
        write("a.parquet", "required binary doc.text (STRING); optional group doc { optional binary text (STRING); }",
                group -> group.append("doc.text", "one").addGroup("doc").append("text", "two"));
        assertEquals(List.of("one"), CorpusReading.texts(read("corpus.text-field=doc.text")));
        write("a.parquet", "optional group doc { optional binary text (STRING); }", group -> { });
        assertEquals(List.of("the text is null"), CorpusReading.problems(read("corpus.text-field=doc.text")));
    }

    @Test
    void partitionFoldersGiveIds() {
        ParquetFiles.write(folder.resolve("date=2024-01-01/a.parquet"), "one");
        write("date=2024-01-02/a.parquet", "required binary text; required binary date (STRING);", group -> group.append("text", "two").append("date", "own"));
        assertEquals(List.of("2024-01-01", "own"), read("corpus.id-field=date").stream().map(Document::id).toList());
        assertEquals(List.of("one", "two"), CorpusReading.texts(read()));
    }

    @Test
    void idsOfManyTypesAreRead() {
        write("a.parquet", "required binary text; required int32 d (DATE); required int64 u (INTEGER(64,false)); required int64 t (TIMESTAMP(MICROS,true)); "
                + "required fixed_len_byte_array(16) x (UUID); required int32 c (DECIMAL(9,2)); required double f; required boolean b;",
                group -> group.append("text", "one").append("d", 1).append("u", -1L).append("t", 1_000_000L)
                        .append("x", Binary.fromConstantByteArray(new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}))
                        .append("c", 1234).append("f", 1.5).append("b", true));
        List.of("d 1970-01-02", "u 18446744073709551615", "t 1970-01-01T00:00:01Z", "x 01020304-0506-0708-090a-0b0c0d0e0f10", "c 12.34", "f 1.5", "b true")
                .forEach(pair -> assertEquals(pair.substring(2), read("corpus.id-field=" + pair.charAt(0)).get(0).id()));
    }

    @Test
    void aTextThatIsNotUtf8HasAProblem() {
        write("a.parquet", "required binary text (STRING);", group -> group.append("text", Binary.fromConstantByteArray(new byte[] {'a', (byte) 0xff})));
        assertTrue(CorpusReading.problems(read()).get(0).startsWith("not UTF-8"));
    }
}
