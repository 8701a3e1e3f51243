// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.util.TaskCompletionListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An iterator over the documents of a task's pieces. A file that cannot be read to its end yields a document with a problem. If the
 * file system fails, the piece is reopened and read from where it stopped, a few times.
 */
final class Documents implements Iterator<Document> {
    private static final Logger LOG = LoggerFactory.getLogger(Documents.class);
    /** Few, since file systems retry before they fail. */
    private static final int RETRIES = 3;
    private static final long FIRST_PAUSE_MS = 200;
    private static final int MOST_SUSPECT = 10_000;

    private final Iterator<Piece> pieces;
    private final Reading reading;
    private final Configuration hadoop;
    private final ReadCounts counts;
    private Piece piece;
    private long number;
    private DocumentReader reader;
    private Document next;
    /** Unusable documents of the piece, held back: if its file turns out to be damaged, they are a consequence. */
    private final Deque<Document> suspect = new ArrayDeque<>();
    /** Number of documents of the piece already read. */
    private long read;
    private int failures;

    Documents(List<Piece> pieces, Reading reading, Configuration hadoop, ReadCounts counts) {
        this.pieces = pieces.iterator();
        this.reading = reading;
        this.hadoop = hadoop;
        this.counts = counts;
        TaskContext task = TaskContext.get();
        if (task != null) {
            // The consumer may stop before the end.
            task.addTaskCompletionListener((TaskCompletionListener) ended -> close());
        }
    }

    @Override
    public boolean hasNext() {
        while (next == null && (reader != null || failures > 0 || !suspect.isEmpty() || pieces.hasNext())) {
            try {
                next = reader == null && failures == 0 && !suspect.isEmpty() ? suspect.poll() : advance();
            } catch (IOException | RuntimeException | LinkageError e) {
                LOG.debug("cannot read {}", piece.file().path(), e);
                close();
                if (StoreFailure.isBehind(e) && failures < RETRIES) {
                    failures++;
                    LOG.warn("cannot read {} ({}); trying again, {} of {}", piece.file().path(), Unreadable.reason(e), failures, RETRIES);
                    pause(FIRST_PAUSE_MS << 2 * (failures - 1));
                } else {
                    endPiece();
                    next = Document.unusable(piece.file().path(), Unreadable.reason(e) + consequences(e));
                }
            }
        }
        return next != null;
    }

    private Document advance() throws IOException {
        if (failures == 0 && reader == null) {
            piece = pieces.next();
            number = piece.file().number();
            if (piece.file().problem() != null) {
                return Document.unusable(piece.file().path(), piece.file().problem());
            }
        }
        if (reader == null) {
            reader = open();
            for (long again = 0; again < read; again++) {
                reader.next();
            }
        }
        Document document = reader.next();
        if (document == null) {
            close();
            endPiece();
            return suspect.poll();
        }
        read++;
        if (document.problem() != null && suspect.size() < MOST_SUSPECT) {
            suspect.add(document);
            return null;
        }
        return document;
    }

    /** Drops the documents that are unusable because the file is damaged. */
    private String consequences(Throwable thrown) {
        if (!Unreadable.isDamage(thrown) || suspect.isEmpty()) {
            return "";
        }
        int dropped = suspect.size();
        suspect.clear();
        return "; " + dropped + " documents before that place are unusable because of it; those that could be read are used";
    }

    private void endPiece() {
        counts.bytes().add(piece.length());
        read = 0;
        failures = 0;
    }

    private static void pause(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TaskKilledException("interrupted");
        }
    }

    private DocumentReader open() throws IOException {
        try {
            return DocumentReader.open(piece, reading, hadoop);
        } catch (Unreadable e) {
            // Report a problem of the whole file once.
            if (piece.isFirst()) {
                throw e;
            }
            return DocumentReader.empty();
        }
    }

    @Override
    public Document next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        String path = piece.file().path();
        // Readers make the id of a document without one from the file's path.
        Document document = next.from(number, !next.id().startsWith(path), next.problem() != null && next.id().equals(path));
        next = null;
        counts.add(document, reading);
        return document;
    }

    private void close() {
        DocumentReader open = reader;
        reader = null;
        if (open != null) {
            try {
                open.close();
            } catch (IOException | RuntimeException e) {
                LOG.debug("cannot close {}", piece.file().path(), e);
            }
        }
    }
}
