// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Contents of a cache for one teacher and target specification. Losses and entropies are in nats; figures that are means over
 * positions are null if there are no rows.
 *
 * @param folder             folder of the labels
 * @param provenance         contents of provenance.json
 * @param writtenFrom        time when the oldest file was written, in ISO 8601; null if there are no files
 * @param writtenTo          time when the newest file was written
 * @param writers            libraries that wrote the files
 * @param files              number of readable files
 * @param unreadable         the first unreadable files, with the reasons
 * @param unreadableFiles    number of unreadable files
 * @param rows               number of rows
 * @param keys               number of distinct keys
 * @param duplicates         rows beyond the first of their key
 * @param positions          next-token predictions
 * @param damagedRows        rows that cannot be decoded; left out of the following figures
 * @param snapshot           the current snapshot; null if no label run has finished
 * @param bytes              total size of the files
 * @param bytesPerToken      bytes on disk, by column, and outside the columns
 * @param entriesPerPosition mean number of stored token ids (distinct ones, if drawn)
 * @param teacherLoss        mean −log p of the target tokens
 * @param teacherPerplexity  exp(teacherLoss)
 * @param teacherEntropy     mean entropy of the teacher's distributions
 * @param entropies          histogram of rows by mean entropy
 */
public record CacheSummary(String folder, JsonNode provenance, String writtenFrom, String writtenTo, Set<String> writers, long files,
        List<String> unreadable, long unreadableFiles, long rows, long keys, long duplicates, long positions, long damagedRows,
        Snapshot snapshot, long bytes, Map<String, Double> bytesPerToken, Double entriesPerPosition, Double teacherLoss,
        Double teacherPerplexity, Double teacherEntropy, List<Bar> entropies) {
    /**
     * The current snapshot.
     *
     * @param id          name of its folder
     * @param documents   number of documents
     * @param sequences   number of sequences; equal ones count separately
     * @param keys        number of distinct keys
     * @param missingKeys keys without a row
     * @param unnamedRows rows whose keys are not in the snapshot
     * @param teachers    names of the teachers that share the corpus, of which the snapshot has this one's documents; empty if none do
     */
    public record Snapshot(String id, long documents, long sequences, long keys, long missingKeys, long unnamedRows, List<String> teachers) {
    }

    /** The number of rows whose mean entropy is at least {@code from} and below {@code to}. */
    public record Bar(double from, double to, long rows) {
    }
}
