// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a cache holds of one teacher and target specification. Losses and entropies are in nats; the figures of the teacher and
 * of positions are null where there is no row.
 *
 * @param folder             of the labels
 * @param provenance         what made them
 * @param writtenFrom        when the oldest file was written, ISO 8601; null where there is none
 * @param writtenTo          when the newest was
 * @param writers            libraries that wrote the files
 * @param files              that can be read
 * @param unreadable         files that cannot, and why, the first of them
 * @param unreadableFiles    how many cannot
 * @param rows               in the files
 * @param keys               distinct ones
 * @param duplicates         rows whose key others have, too, but for one of each
 * @param positions          next-token predictions
 * @param damagedRows        left out of the figures below
 * @param snapshot           what the corpus consists of now; null where no label run has come to its end
 * @param bytes              of the files
 * @param bytesPerToken      on disk, by column and for what belongs to none
 * @param entriesPerPosition mean number of token ids listed: of distinct draws where they are drawn
 * @param teacherLoss        mean −log p of the tokens that really came next
 * @param teacherPerplexity  exp of that
 * @param teacherEntropy     mean, of the teacher's distributions
 * @param entropies          rows by the mean entropy of their positions
 */
public record CacheSummary(String folder, JsonNode provenance, String writtenFrom, String writtenTo, Set<String> writers, long files,
        List<String> unreadable, long unreadableFiles, long rows, long keys, long duplicates, long positions, long damagedRows,
        Snapshot snapshot, long bytes, Map<String, Double> bytesPerToken, Double entriesPerPosition, Double teacherLoss,
        Double teacherPerplexity, Double teacherEntropy, List<Bar> entropies) {
    /**
     * The current snapshot.
     *
     * @param id          of its folder
     * @param documents   in it
     * @param sequences   in it; the same text twice counts twice
     * @param keys        distinct ones
     * @param missingKeys of these that have no row
     * @param unnamedRows rows of the cache that it does not name
     */
    public record Snapshot(String id, long documents, long sequences, long keys, long missingKeys, long unnamedRows) {
    }

    /** The {@code rows} whose mean entropy lies from {@code from} to below {@code to}. */
    public record Bar(double from, double to, long rows) {
    }
}
