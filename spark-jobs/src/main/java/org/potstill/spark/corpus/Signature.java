// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import org.potstill.checkpoints.io.PointerFile;

/** A file format detected by its first bytes, regardless of the name. */
enum Signature {
    GZIP("compressed with gzip", 0, "1f8b08"),
    ZSTD("compressed with zstd", 0, "28b52ffd"),
    /** A skippable frame, with which parallel writers begin. */
    ZSTD_FRAMES("compressed with zstd", 0, "502a4d18"),
    BZIP2("compressed with bzip2", 0, "425a68", true),
    XZ("compressed with xz", 0, "fd377a585a00"),
    LZ4("compressed with lz4", 0, "04224d18"),
    SNAPPY("compressed with snappy", 0, "ff060000734e61507059"),
    PARQUET("a Parquet file", 0, "50415231", true),
    ENCRYPTED_PARQUET("an encrypted Parquet file", 0, "50415245", true),
    ORC("an ORC file", 0, "4f5243", true),
    ARROW("an Arrow file", 0, "4152524f573100"),
    ARROW_STREAM("an Arrow stream", 0, "ffffffff"),
    AVRO("an Avro file", 0, "4f626a01"),
    SEQUENCE_FILE("a Hadoop sequence file", 0, "534551", true),
    PDF("a PDF document", 0, "255044462d"),
    ZIP("a zip archive, or a document of an office program", 0, "504b0304"),
    SEVEN_ZIP("a 7z archive", 0, "377abcaf271c"),
    RAR("a rar archive", 0, "526172211a07"),
    TAR("a tar archive", 257, "7573746172"),
    OFFICE("a document of an office program", 0, "d0cf11e0a1b11ae1"),
    HDF5("an HDF5 file", 0, "894844460d0a1a0a"),
    NUMPY("a NumPy array", 0, "934e554d5059"),
    SQLITE("an SQLite database", 0, "53514c69746520666f726d6174203300"),
    PNG("a picture", 0, "89504e470d0a1a0a"),
    JPEG("a picture", 0, "ffd8ff"),
    GGUF("a GGUF model", 0, "47475546", true),
    LFS_POINTER(PointerFile.GIT_LFS),
    ANNEX_POINTER(PointerFile.GIT_ANNEX),
    DVC_POINTER(PointerFile.DVC),
    XET_POINTER(PointerFile.XET);

    /** Number of bytes that {@link #of} examines. */
    static final int BYTES = 512;

    private final String named;
    /** Null for other formats. */
    private final PointerFile pointer;
    private final int offset;
    private final byte[] magic;
    private final boolean letters;

    Signature(PointerFile pointer) {
        this("a " + pointer.system() + " pointer: the file itself was not fetched (" + pointer.command() + ")", pointer, 0, "", false);
    }

    Signature(String named, int offset, String magic) {
        this(named, null, offset, magic, false);
    }

    /** @param letters whether text may begin the same way: then it is the format only if bytes follow that are not text */
    Signature(String named, int offset, String magic, boolean letters) {
        this(named, null, offset, magic, letters);
    }

    Signature(String named, PointerFile pointer, int offset, String magic, boolean letters) {
        this.named = named;
        this.pointer = pointer;
        this.offset = offset;
        this.magic = HexFormat.of().parseHex(magic);
        this.letters = letters;
    }

    /**
     * Detects a format.
     *
     * @param head the first bytes of the file, at least {@link #BYTES} if it is that long
     */
    static Optional<Signature> of(byte[] head) {
        boolean text = isText(head);
        return Arrays.stream(values()).filter(signature -> signature.begins(head) && !(signature.letters && text)).findFirst();
    }

    private boolean begins(byte[] head) {
        return pointer != null ? pointer.begins(head) : head.length >= offset + magic.length
                && Arrays.equals(magic, 0, magic.length, head, offset, offset + magic.length);
    }

    private static boolean isText(byte[] head) {
        int length = Math.min(head.length, BYTES);
        for (int i = 0; i < length; i++) {
            int b = head[i] & 0xff;
            if (b < 0x20 && b != '\t' && b != '\n' && b != '\r' && b != '\f' && b != 0x1b) {
                return false;
            }
        }
        return Utf8.begins(head, length);
    }

    boolean isCompression() {
        return compareTo(SNAPPY) <= 0;
    }

    /** Names the format, to follow "it is". */
    String named() {
        return named;
    }
}
