// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** A file format detected by its first bytes, regardless of the name. */
public enum FileSignature {
    GZIP("compressed with gzip", 0, "1f8b08"),
    ZSTD("compressed with zstd", 0, "28b52ffd"),
    /** A skippable frame, with which parallel writers begin. */
    ZSTD_FRAMES("compressed with zstd", 0, "502a4d18"),
    BZIP2("compressed with bzip2", 0, "425a68", true),
    XZ("compressed with xz", 0, "fd377a585a00"),
    LZ4("compressed with lz4", 0, "04224d18"),
    SNAPPY("compressed with snappy", 0, "ff060000734e61507059"),
    ZLIB("compressed with zlib", FileSignature::isZlib, true),
    /** Without checksums or an end, so that truncation would not be noticed; likewise the next. */
    LZ4_LEGACY("compressed in lz4's legacy format (lz4 -l); decompress it first (lz4 -d)", 0, "02214c18"),
    COMPRESS("compressed with compress; decompress it first (gzip -d)", 0, "1f9d90"),
    LZMA("compressed with lzma; decompress it first (xz -d)", 0, "5d000080"),
    LZIP("compressed with lzip; decompress it first (lzip -d)", 0, "4c5a4950", true),
    LZOP("compressed with lzop; decompress it first (lzop -d)", 0, "894c5a4f000d0a1a0a"),
    PARQUET("a Parquet file", 0, "50415231", true),
    ENCRYPTED_PARQUET("an encrypted Parquet file", 0, "50415245", true),
    ORC("an ORC file", 0, "4f5243", true),
    ARROW("an Arrow file", 0, "4152524f573100"),
    ARROW_STREAM("an Arrow stream", 0, "ffffffff"),
    AVRO("an Avro file", 0, "4f626a01"),
    SEQUENCE_FILE("a Hadoop sequence file", 0, "534551", true),
    TFRECORD("a TFRecord file", FileSignature::isTfRecord, false),
    BSON("a BSON file", FileSignature::isBson, true),
    PDF("a PDF document", 0, "255044462d"),
    RTF("a document in Rich Text Format", 0, "7b5c72746631"),
    PYTORCH("a PyTorch checkpoint", head -> begins(head, 0, "504b0304") && text(head).contains("data.pkl"), false),
    ZIP("a zip archive, or a document of an office program", 0, "504b0304"),
    SEVEN_ZIP("a 7z archive", 0, "377abcaf271c"),
    RAR("a rar archive", 0, "526172211a07"),
    TAR("a tar archive", 257, "7573746172"),
    OFFICE("a document of an office program", 0, "d0cf11e0a1b11ae1"),
    HDF5("an HDF5 file", 0, "894844460d0a1a0a"),
    NUMPY("a NumPy array", 0, "934e554d5059"),
    PICKLE("a Python pickle", FileSignature::isPickle, true),
    SQLITE("an SQLite database", 0, "53514c69746520666f726d6174203300"),
    PNG("a picture", 0, "89504e470d0a1a0a"),
    JPEG("a picture", 0, "ffd8ff"),
    GIF("a picture", 0, "47494638", true),
    GGUF("a GGUF model", 0, "47475546", true),
    GGML("a GGML model, the format before GGUF", head -> begins(head, 0, "6c6d6767") || begins(head, 0, "666d6767")
            || begins(head, 0, "746a6767"), true),
    ORT("a model in ONNX Runtime's own format (ORT)", 4, "4f52544d", true),
    SAFETENSORS("a safetensors file", 8, "7b22", true),
    WEB_PAGE("a web page or an XML document, such as a login or error page saved in place of the file", head -> isMarkup(text(head)), false),
    LFS_POINTER(PointerFile.GIT_LFS),
    ANNEX_POINTER(PointerFile.GIT_ANNEX),
    DVC_POINTER(PointerFile.DVC),
    XET_POINTER(PointerFile.XET);

    /** Number of bytes that {@link #of} examines. */
    public static final int BYTES = 512;

    private static final Pattern MARKUP = Pattern.compile("(?:\u00ef\u00bb\u00bf)?\\s*<(?:!doctype html|html|\\?xml)\\b", Pattern.CASE_INSENSITIVE);

    private final String named;
    private final Predicate<byte[]> begins;
    private final boolean letters;

    FileSignature(PointerFile pointer) {
        this("a " + pointer.system() + " pointer: the file itself was not fetched (" + pointer.command() + ")", pointer::begins, false);
    }

    FileSignature(String named, int offset, String magic) {
        this(named, offset, magic, false);
    }

    FileSignature(String named, int offset, String magic, boolean letters) {
        this(named, head -> begins(head, offset, magic), letters);
    }

    /** @param letters whether text may begin the same way: then it is the format only if the bytes are not text */
    FileSignature(String named, Predicate<byte[]> begins, boolean letters) {
        this.named = named;
        this.begins = begins;
        this.letters = letters;
    }

    /**
     * Detects a format.
     *
     * @param head the first bytes of the file, at least {@link #BYTES} if it is that long
     * @param text whether they are text in an encoding that is read
     */
    public static Optional<FileSignature> of(byte[] head, boolean text) {
        return Arrays.stream(values()).filter(signature -> !(signature.letters && text) && signature.begins.test(head)).findFirst();
    }

    private static boolean begins(byte[] head, int offset, String magic) {
        byte[] bytes = HexFormat.of().parseHex(magic);
        return head.length >= offset + bytes.length && Arrays.equals(bytes, 0, bytes.length, head, offset, offset + bytes.length);
    }

    /** RFC 1950 has two bytes that bytes of other formats may equal; so some must inflate. */
    private static boolean isZlib(byte[] head) {
        if (head.length < 2 || head[0] != 0x78 || ((head[0] << 8) + (head[1] & 0xff)) % 31 != 0) {
            return false;
        }
        Inflater inflater = new Inflater();
        try {
            inflater.setInput(head);
            return inflater.inflate(new byte[BYTES]) > 0 || inflater.finished();
        } catch (DataFormatException e) {
            return false;
        } finally {
            inflater.end();
        }
    }

    /** A record's length is followed by the length's masked checksum (tensorflow/core/lib/io/record_writer.h). */
    private static boolean isTfRecord(byte[] head) {
        if (head.length < 12) {
            return false;
        }
        CRC32C crc = new CRC32C();
        crc.update(head, 0, 8);
        int checksum = (int) crc.getValue();
        return ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getInt(8) == Integer.rotateRight(checksum, 15) + 0xa282ead8;
    }

    /** A document is its length, and elements of a type, a name that ends with a zero, and a value (bsonspec.org). */
    private static boolean isBson(byte[] head) {
        if (head.length < 8 || head[4] < 1 || head[4] > 0x13) {
            return false;
        }
        int length = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getInt();
        int end = 5;
        while (end < head.length && head[end] >= ' ') {
            end++;
        }
        return length >= 8 && length <= 16 << 20 && end > 5 && end < head.length && head[end] == 0
                && (length > head.length || head[length - 1] == 0);
    }

    /** The protocol's number is followed by a frame or one of the usual first values; protocols 0 and 1 are ASCII. */
    private static boolean isPickle(byte[] head) {
        return head.length > 2 && (head[0] & 0xff) == 0x80 && head[1] >= 2 && head[1] <= 5
                && (head[1] >= 4 ? (head[2] & 0xff) == 0x95 : "]}c(X\u008a".indexOf(head[2] & 0xff) >= 0);
    }

    /** Whether a text is a web page or an XML document from its first character on. */
    public static boolean isMarkup(String text) {
        return MARKUP.matcher(text).lookingAt();
    }

    private static String text(byte[] head) {
        return new String(head, 0, Math.min(head.length, BYTES), StandardCharsets.ISO_8859_1);
    }

    /** Whether it must be unpacked before it can be used as a model. */
    boolean isArchive() {
        return compareTo(LZOP) <= 0 || this == ZIP || this == SEVEN_ZIP || this == RAR || this == TAR;
    }

    /** Whether the corpus is read through it. */
    public boolean isCompression() {
        return compareTo(ZLIB) <= 0;
    }

    /** Whether it stands for a file that was not fetched. */
    public boolean isPointer() {
        return compareTo(LFS_POINTER) >= 0;
    }

    /** Names the format, to follow "it is". */
    public String named() {
        return named;
    }
}
