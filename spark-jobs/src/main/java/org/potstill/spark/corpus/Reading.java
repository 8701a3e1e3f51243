// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import org.potstill.spark.settings.Settings;

/**
 * The settings by which files become documents.
 *
 * @param textField field of a record's text: a name, or nested names separated by dots
 * @param idField   field of its id; empty for none
 * @param separator separator of documents in a text file; empty if each file is one document
 * @param maxBytes  maximum size of a document
 * @param conversations columns of a record's conversation, which matter if it has no text or if the user named them
 */
record Reading(String textField, String idField, String separator, int maxBytes, ConversationColumns conversations) implements Serializable {
    static Reading of(Settings settings) {
        return new Reading(settings.required("corpus.text-field"), settings.string("corpus.id-field"),
                settings.string("corpus.separator"), settings.integer("corpus.max-document-mib", 1, 1024) << 20,
                ConversationColumns.of(settings.string("corpus.conversations")));
    }

    /** Names the fields as the user set them. */
    String named() {
        return (conversations.isNamed() ? "corpus.conversations = " + conversations.layouts().get(0).first() : "corpus.text-field = " + textField) + (idField.isEmpty() ? "" : " and corpus.id-field = " + idField);
    }

    /** Whether tasks may begin in the middle of a file of that format. */
    boolean isDivisible(FileFormat format) {
        return format != FileFormat.TEXT
                || !separator.isEmpty() && DelimitedRecords.standsAlone(separator.getBytes(StandardCharsets.UTF_8));
    }
}
