package org.potstill.spark.corpus;

import java.io.Closeable;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;

/** Reads the documents of a piece of a file, in order. */
interface DocumentReader extends Closeable {
    /** @return null at the end */
    Document next() throws IOException;

    /** @throws Unreadable when the file as a whole cannot be, for each of its pieces */
    static DocumentReader open(Piece piece, Reading reading, Configuration hadoop) throws IOException {
        return switch (piece.format()) {
            case TEXT -> TextFileReader.open(piece, reading, hadoop);
            case JSONL -> JsonLinesReader.open(piece, reading, hadoop);
            case PARQUET -> ParquetRowReader.open(piece, reading, hadoop);
        };
    }

    /** A reader for a piece whose documents all belong to the first. */
    static DocumentReader empty() {
        return new DocumentReader() {
            @Override
            public Document next() {
                return null;
            }

            @Override
            public void close() {
            }
        };
    }
}
