// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;

/** A reader of a text file: one document, or those between separators. */
final class TextFileReader implements DocumentReader {
    private final Piece piece;
    private final TextStream stream;
    private final DelimitedRecords records;
    private final int maxBytes;
    private boolean read;

    private TextFileReader(Piece piece, TextStream stream, DelimitedRecords records, int maxBytes) {
        this.piece = piece;
        this.stream = stream;
        this.records = records;
        this.maxBytes = maxBytes;
    }

    static DocumentReader open(Piece piece, Reading reading, Configuration hadoop) throws IOException {
        TextStream stream = TextStream.open(piece.file(), hadoop);
        byte[] separator = reading.separator().getBytes(StandardCharsets.UTF_8);
        if (separator.length == 0) {
            return new TextFileReader(piece, stream, null, reading.maxBytes());
        } else if (piece.isFirst()) {
            return new TextFileReader(piece, stream, new DelimitedRecords(stream.in(), stream.mark(), separator, reading.maxBytes()),
                    reading.maxBytes());
        } else if (!stream.isPlain()) {
            stream.close();
            return DocumentReader.empty();
        }
        return new TextFileReader(piece, stream, fromWithin(piece, stream, separator, reading.maxBytes()), reading.maxBytes());
    }

    /** Starts after the first delimiter that ends in the piece. */
    static DelimitedRecords fromWithin(Piece piece, TextStream stream, byte[] delimiter, int maxBytes) throws IOException {
        long place = piece.from() - delimiter.length;
        DelimitedRecords records = new DelimitedRecords(stream.from(place), place, delimiter, maxBytes);
        records.next();
        return records;
    }

    @Override
    public Document next() throws IOException {
        return records == null ? whole() : between();
    }

    private Document whole() throws IOException {
        String path = piece.file().path();
        if (read) {
            return null;
        }
        read = true;
        if (stream.isPlain() && piece.file().bytes() > maxBytes) {
            return Document.tooLong(path, piece.file().bytes(), maxBytes);
        }
        InputStream in = stream.in();
        byte[] bytes = in.readNBytes(maxBytes + 1);
        return bytes.length > maxBytes ? Document.tooLong(path, bytes.length, maxBytes) : Utf8.document(path, bytes, 0, bytes.length);
    }

    private Document between() throws IOException {
        while ((!stream.isPlain() || records.place() < piece.to()) && records.next()) {
            String id = piece.file().path() + ":" + (records.begin() <= stream.mark() ? 0 : records.begin());
            if (records.isTooLong()) {
                return Document.tooLong(id, records.length(), maxBytes);
            }
            int end = (int) records.length();
            int begin = 0;
            // Separators are often on lines of their own: strip the line breaks around them.
            while (begin < end && isBreak(records.bytes()[begin])) {
                begin++;
            }
            while (begin < end && isBreak(records.bytes()[end - 1])) {
                end--;
            }
            Document document = Utf8.document(id, records.bytes(), begin, end - begin);
            if (document.problem() != null || !document.text().isBlank()) {
                return document;
            }
        }
        return null;
    }

    private static boolean isBreak(byte b) {
        return b == '\n' || b == '\r';
    }

    @Override
    public void close() throws IOException {
        stream.close();
    }
}
