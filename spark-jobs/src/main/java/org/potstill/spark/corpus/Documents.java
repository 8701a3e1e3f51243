package org.potstill.spark.corpus;

import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.TaskContext;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.TaskCompletionListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The documents of a task's pieces; a file that cannot be read, or not to its end, is a document with a problem. */
final class Documents implements Iterator<Document> {
    private static final Logger LOG = LoggerFactory.getLogger(Documents.class);

    private final Iterator<Piece> pieces;
    private final Reading reading;
    private final Configuration hadoop;
    private final Problems problems;
    private final LongAccumulator bytesRead;
    private Piece piece;
    private DocumentReader reader;
    private Document next;

    Documents(List<Piece> pieces, Reading reading, Configuration hadoop, Problems problems, LongAccumulator bytesRead) {
        this.pieces = pieces.iterator();
        this.reading = reading;
        this.hadoop = hadoop;
        this.problems = problems;
        this.bytesRead = bytesRead;
        TaskContext task = TaskContext.get();
        if (task != null) {
            // Whoever reads may stop before the end.
            task.addTaskCompletionListener((TaskCompletionListener) ended -> close());
        }
    }

    @Override
    public boolean hasNext() {
        while (next == null && (reader != null || pieces.hasNext())) {
            try {
                next = advance();
            } catch (IOException | RuntimeException | LinkageError e) {
                LOG.debug("cannot read {}", piece.file().path(), e);
                close();
                next = Document.unusable(piece.file().path(), Unreadable.reason(e));
            }
        }
        return next != null;
    }

    private Document advance() throws IOException {
        if (reader == null) {
            piece = pieces.next();
            if (piece.file().problem() != null) {
                return Document.unusable(piece.file().path(), piece.file().problem());
            }
            reader = open();
        }
        Document document = reader.next();
        if (document == null) {
            close();
        }
        return document;
    }

    private DocumentReader open() throws IOException {
        try {
            return DocumentReader.open(piece, reading, hadoop);
        } catch (Unreadable e) {
            // What is wrong with the file as a whole is told once.
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
        Document document = next;
        next = null;
        problems.add(document);
        return document;
    }

    private void close() {
        DocumentReader open = reader;
        reader = null;
        if (open != null) {
            bytesRead.add(piece.length());
            try {
                open.close();
            } catch (IOException | RuntimeException e) {
                LOG.debug("cannot close {}", piece.file().path(), e);
            }
        }
    }
}
