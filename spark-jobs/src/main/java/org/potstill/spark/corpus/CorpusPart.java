// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.potstill.checkpoints.io.Sha256;

/**
 * A file of the corpus, or a table in one of its versions, as it can be recognised later.
 *
 * @param path     of the file, or names of the table and its version
 * @param bytes    length of the file
 * @param modified when it was modified, in milliseconds since 1970
 * @param sample   hash of some of its content; empty if it was not sampled
 * @param isSteady whether a later change of its content changes what else is known of it
 */
public record CorpusPart(String path, long bytes, long modified, String sample, boolean isSteady) implements Serializable {
    /** A file system's clock may be this much behind, and its times this coarse. A file modified later may change again unnoticed. */
    private static final long UNSTEADY_MILLIS = 5000;
    /** Of more than twice as many parts, only about as many are sampled, or up to twice as many. */
    private static final long SAMPLES = 8192;

    /** @param listed when it was listed, in milliseconds since 1970 */
    static CorpusPart of(CorpusFile file, long listed) {
        return new CorpusPart(file.path(), file.bytes(), file.modified(), "", file.problem() == null && file.modified() < listed - UNSTEADY_MILLIS);
    }

    /** Makes a part of a table's rows that match a condition; that of another version is another part. */
    static CorpusPart of(String table, String where, String version) {
        String identity = Sha256.of(where + "\n" + version);
        return new CorpusPart(table + " " + identity, 0, 0, identity, true);
    }

    /** Returns what names a part in documents and tables: the first 8 bytes of a hash of its path; never 0. */
    static long number(String path) {
        long number = ByteBuffer.wrap(Sha256.digest().digest(path.getBytes(StandardCharsets.UTF_8))).getLong();
        return number == 0 ? 1 : number;
    }

    public long number() {
        return number(path);
    }

    /** Whether it is one of those to sample, which all are of a corpus with few parts. */
    boolean isSampled(long parts) {
        long step = Math.max(1, Long.highestOneBit(parts / SAMPLES));
        return number() % step == 0;
    }

    CorpusPart with(String newSample) {
        return new CorpusPart(path, bytes, modified, newSample, isSteady);
    }

    /** Whether path, length and time of modification are the same, though not necessarily the content. */
    public boolean looksLike(CorpusPart other) {
        return path.equals(other.path) && bytes == other.bytes && modified == other.modified;
    }
}
