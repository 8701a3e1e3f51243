// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.Util;
import org.apache.parquet.io.DelegatingSeekableInputStream;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.SeekableInputStream;
import org.potstill.checkpoints.io.FileSignature;

/** A Parquet file whose footer is replaced by one with fewer columns. */
final class ParquetSource implements InputFile {
    private static final byte[] MAGIC = "PAR1".getBytes(StandardCharsets.US_ASCII);
    private static final int TAIL = 8;
    private static final int MAX_FOOTER = 256 << 20;

    private final CorpusFile file;
    private final Configuration hadoop;
    private final long footerBegin;
    private final byte[] end;

    private ParquetSource(CorpusFile file, Configuration hadoop, long footerBegin, byte[] end) {
        this.file = file;
        this.hadoop = hadoop;
        this.footerBegin = footerBegin;
        this.end = end;
    }

    /** @throws Unreadable when it is not a whole Parquet file */
    static ParquetColumns columns(CorpusFile file, Configuration hadoop) throws IOException {
        try (FSDataInputStream in = file.open(hadoop)) {
            return new ParquetColumns(footer(file, in));
        }
    }

    private static FileMetaData footer(CorpusFile file, FSDataInputStream in) throws IOException {
        byte[] head = in.readNBytes(FileSignature.BYTES);
        FileSignature signature = Encoding.signature(head).orElse(null);
        if (!Arrays.equals(MAGIC, 0, 4, head, 0, Math.min(4, head.length))) {
            throw new Unreadable("not a Parquet file" + (signature == null ? "" : ": it is " + signature.named()));
        }
        long length = file.bytes();
        byte[] tail = new byte[TAIL];
        if (length >= MAGIC.length + TAIL) {
            in.readFully(length - TAIL, tail);
        }
        int footer = ByteBuffer.wrap(tail).order(ByteOrder.LITTLE_ENDIAN).getInt();
        if (!Arrays.equals(MAGIC, 0, 4, tail, 4, TAIL)) {
            throw new Unreadable(new String(tail, 4, 4, StandardCharsets.ISO_8859_1).equals("PARE") ? "an encrypted Parquet file"
                    : "a truncated Parquet file: it has no footer");
        } else if (footer <= 0 || footer > Math.min(MAX_FOOTER, length - MAGIC.length - TAIL)) {
            throw new Unreadable("a damaged Parquet file: its footer cannot have " + footer + " bytes");
        }
        byte[] bytes = new byte[footer];
        in.readFully(length - TAIL - footer, bytes);
        try {
            return Util.readFileMetaData(new ByteArrayInputStream(bytes));
        } catch (IOException | RuntimeException e) {
            throw new Unreadable("a damaged Parquet file: its footer cannot be read", e);
        }
    }

    /** Opens the file with only these columns. */
    static ParquetSource of(CorpusFile file, Configuration hadoop, ParquetColumns columns, List<String> paths) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Util.writeFileMetaData(columns.only(paths), out);
        int length = out.size();
        out.write(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(length).array());
        out.write(MAGIC);
        // Appended to the file, so that no offset in it changes.
        return new ParquetSource(file, hadoop, file.bytes(), out.toByteArray());
    }

    @Override
    public long getLength() {
        return footerBegin + end.length;
    }

    @Override
    public SeekableInputStream newStream() throws IOException {
        Spliced spliced = new Spliced(file.open(hadoop));
        return new DelegatingSeekableInputStream(spliced) {
            @Override
            public long getPos() {
                return spliced.place;
            }

            @Override
            public void seek(long place) throws IOException {
                spliced.seek(place);
            }
        };
    }

    /** The file's bytes, followed by the new footer. */
    private final class Spliced extends InputStream {
        private final FSDataInputStream in;
        private long place;

        Spliced(FSDataInputStream in) {
            this.in = in;
        }

        void seek(long to) throws IOException {
            if (to < footerBegin) {
                in.seek(to);
            }
            place = to;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            int read;
            if (place < footerBegin) {
                read = in.read(buffer, offset, (int) Math.min(length, footerBegin - place));
            } else {
                int at = (int) Math.min(end.length, place - footerBegin);
                read = at == end.length && length > 0 ? -1 : Math.min(length, end.length - at);
                System.arraycopy(end, at, buffer, offset, Math.max(0, read));
            }
            place += Math.max(0, read);
            return read;
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }
}
