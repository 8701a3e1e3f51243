package org.potstill.spark.corpus;

import java.io.Serializable;

/**
 * A document of the corpus, or why there is none.
 *
 * @param id      where it comes from: a path, or a path and a place in it, or the user's own id
 * @param text    null when it could not be read
 * @param problem why not; null when it could
 */
public record Document(String id, String text, String problem) implements Serializable {
    static Document of(String id, String text) {
        return new Document(id, text, null);
    }

    static Document unusable(String id, String problem) {
        return new Document(id, null, problem);
    }
}
