// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * A part of a file that one task reads: the documents that begin in a byte range.
 *
 * @param file   file of the corpus
 * @param format format of the file
 * @param from   first byte of the range; the first piece of a file reports problems of the whole file
 * @param to     end of the range, exclusive; unbounded for the last piece
 */
record Piece(CorpusFile file, FileFormat format, long from, long to) implements Serializable {
    private static final long LEAST = 4L << 20;
    private static final long MOST = 64L << 20;
    /** Cost of opening a file, in bytes: it takes time, above all on object stores. */
    private static final long OPENING = 256L << 10;

    boolean isFirst() {
        return from == 0;
    }

    long length() {
        return Math.min(to, file.bytes()) - from;
    }

    boolean holds(long place) {
        return (place >= from || isFirst()) && place < to;
    }

    /**
     * Distributes files, in order, over tasks with about the same amount to read.
     *
     * @param slots tasks that run at once
     */
    static List<List<Piece>> tasks(List<CorpusFile> files, FileFormat format, boolean divisible, int slots) {
        long all = files.stream().mapToLong(file -> file.bytes() + OPENING).sum();
        long target = Math.max(LEAST, Math.min(MOST, all / (4L * slots)));
        List<List<Piece>> tasks = new ArrayList<>();
        List<Piece> task = new ArrayList<>();
        long filled = 0;
        for (CorpusFile file : files) {
            boolean whole = !divisible || FileFormat.isCompressed(file.name()) || file.bytes() <= 2 * target;
            long step = whole ? Math.max(1, file.bytes()) : target;
            for (long from = 0; from == 0 || from < file.bytes(); from += step) {
                boolean last = file.bytes() - from <= step;
                task.add(new Piece(file, format, from, last ? Long.MAX_VALUE : from + step));
                filled += Math.min(step, file.bytes() - from) + OPENING;
                if (filled >= target) {
                    tasks.add(task);
                    task = new ArrayList<>();
                    filled = 0;
                }
            }
        }
        if (!task.isEmpty()) {
            tasks.add(task);
        }
        return tasks;
    }
}
