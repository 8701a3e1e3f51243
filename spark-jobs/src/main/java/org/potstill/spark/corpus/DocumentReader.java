// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Closeable;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;

/** A reader of the documents in a piece of a file, in order. */
interface DocumentReader extends Closeable {
    /**
     * Reads the next document.
     *
     * @return null at the end
     */
    Document next() throws IOException;

    /**
     * Opens a piece.
     *
     * @throws Unreadable if the whole file cannot be read; thrown for each of its pieces
     */
    static DocumentReader open(Piece piece, Reading reading, Configuration hadoop) throws IOException {
        return switch (piece.format()) {
            case TEXT -> TextFileReader.open(piece, reading, hadoop);
            case JSONL -> JsonLinesReader.open(piece, reading, hadoop);
            case PARQUET -> ParquetRowReader.open(piece, reading, hadoop);
        };
    }

    /** Returns a reader for a piece whose documents all belong to the first piece. */
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
