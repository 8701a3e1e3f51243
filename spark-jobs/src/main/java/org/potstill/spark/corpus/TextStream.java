// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PushbackInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import org.apache.commons.io.input.ReaderInputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.potstill.checkpoints.io.FileSignature;

/** A file as UTF-8 without byte-order mark, decompressed if its first bytes, rather than its name, show compression. */
final class TextStream implements Closeable {
    private static final int HEAD = 1 << 16;

    private final FSDataInputStream file;
    private InputStream in;
    private byte[] head;
    private boolean plain = true;
    private int mark;
    private boolean webPage;

    private TextStream(FSDataInputStream file) {
        this.file = file;
        this.in = file;
    }

    /**
     * Opens a file.
     *
     * @throws Unreadable if it is not text
     */
    static TextStream open(CorpusFile file, Configuration hadoop) throws IOException {
        TextStream stream = new TextStream(file.open(hadoop));
        try {
            stream.recognize(file, hadoop);
            return stream;
        } catch (IOException | RuntimeException | Error e) {
            stream.close();
            throw e;
        }
    }

    private void recognize(CorpusFile file, Configuration hadoop) throws IOException {
        peek();
        Optional<FileSignature> signature = Encoding.signature(head);
        if (signature.isPresent() && signature.get().isCompression()) {
            in = Decompression.of(signature.get(), in);
        } else if (signature.isEmpty() && !Encoding.isText(head) && FileFormat.isCompressed(file.name())) {
            in = Decompression.inBlocks(file, head, in, hadoop);
        }
        if (in instanceof PushbackInputStream) {
            refuse(signature, "it is ");
        } else {
            plain = false;
            peek();
            refuse(Encoding.signature(head), "it is compressed, and inside it is ");
        }
        Encoding encoding = Encoding.of(head);
        mark = encoding.mark();
        in.skipNBytes(mark);
        head = Arrays.copyOfRange(head, mark, head.length);
        if (!encoding.isUtf8()) {
            plain = false;
            in = ReaderInputStream.builder().setReader(new InputStreamReader(in, Encoding.strict(encoding.charset())))
                    .setCharset(StandardCharsets.UTF_8).get();
            peek();
        }
    }

    private void refuse(Optional<FileSignature> signature, String begin) throws Unreadable {
        webPage = signature.equals(Optional.of(FileSignature.WEB_PAGE));
        if (signature.isPresent() && !webPage) {
            throw new Unreadable(begin + signature.get().named());
        }
    }

    private void peek() throws IOException {
        PushbackInputStream peeked = new PushbackInputStream(in, HEAD);
        head = peeked.readNBytes(HEAD);
        peeked.unread(head);
        in = peeked;
    }

    /** Returns the first bytes, up to 64 KiB. */
    byte[] head() {
        return head;
    }

    /** Whether it is HTML or XML, which is text but may stand in place of data. */
    boolean isWebPage() {
        return webPage;
    }

    /** Whether positions in the stream equal those in the file, so that it can be read from the middle. */
    boolean isPlain() {
        return plain;
    }

    /** Returns the number of bytes before the text. */
    int mark() {
        return plain ? mark : 0;
    }

    InputStream in() {
        return in;
    }

    /**
     * Reads from a position.
     *
     * @param place in the file, which must be {@linkplain #isPlain plain}
     */
    InputStream from(long place) throws IOException {
        file.seek(place);
        return file;
    }

    /**
     * Reads a compressed file to its end, where checksums tell whether damage explains bad content.
     *
     * @throws Unreadable if it does
     */
    void requireUndamaged() throws IOException {
        if (!plain) {
            in.transferTo(OutputStream.nullOutputStream());
        }
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
