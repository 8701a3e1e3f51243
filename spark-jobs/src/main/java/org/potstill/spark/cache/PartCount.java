// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;

/**
 * What the documents of a part of the corpus amount to.
 *
 * @param documents     all documents
 * @param unusable      documents in the quarantine
 * @param heldOut       documents held out for evaluation
 * @param sequences     sequences to learn from
 * @param positions     next-token predictions to learn from
 * @param withId        usable documents with an id of their own, if ids are read
 * @param withoutId     usable documents without one, if ids are read
 * @param webPages      documents that are web pages or XML
 * @param conversations documents that are conversations
 * @param marked        training documents with a response, if responses are looked for
 * @param unmarked      training documents without one, if responses are looked for
 * @param unread        files that could not be read to their end
 */
public record PartCount(long documents, long unusable, long heldOut, long sequences, long positions, long withId, long withoutId, long webPages,
        long conversations, long marked, long unmarked, long unread) implements Serializable {
    public static final PartCount NONE = new PartCount(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** Adds counts. */
    public PartCount plus(PartCount other) {
        return new PartCount(documents + other.documents, unusable + other.unusable, heldOut + other.heldOut, sequences + other.sequences,
                positions + other.positions, withId + other.withId, withoutId + other.withoutId, webPages + other.webPages,
                conversations + other.conversations, marked + other.marked, unmarked + other.unmarked, unread + other.unread);
    }
}
