package org.potstill.spark.corpus;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import org.potstill.spark.Settings;

/**
 * How files become documents.
 *
 * @param textField where a record's text is: a name, or names with dots between them
 * @param idField   where its id is; empty for none
 * @param separator what is between the documents of a text file; empty where each file is one
 * @param maxBytes  of a document
 */
record Reading(String textField, String idField, String separator, int maxBytes) implements Serializable {
    static Reading of(Settings settings) {
        return new Reading(settings.required("corpus.text-field"), settings.string("corpus.id-field"),
                settings.string("corpus.separator"), settings.integer("corpus.max-document-mib", 1, 1024) << 20);
    }

    /** Whether tasks may begin in the middle of a file of that format. */
    boolean isDivisible(FileFormat format) {
        return format != FileFormat.TEXT
                || !separator.isEmpty() && DelimitedRecords.standsAlone(separator.getBytes(StandardCharsets.UTF_8));
    }
}
