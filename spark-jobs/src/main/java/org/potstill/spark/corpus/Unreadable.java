package org.potstill.spark.corpus;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;

/** A file, or the rest of one, that cannot be read as text; the message is for the user. */
final class Unreadable extends IOException {
    private static final long serialVersionUID = 1;

    Unreadable(String why) {
        super(why);
    }

    Unreadable(String why, Throwable origin) {
        super(why, origin);
    }

    /** The reason as the quarantine tells it. */
    static String reason(Throwable thrown) {
        if (thrown instanceof Unreadable) {
            return thrown.getMessage();
        }
        if (thrown instanceof CharacterCodingException) {
            return "not text in the encoding that its first bytes tell (UTF-16 or UTF-32), or cut off";
        }
        String said = thrown.getMessage();
        return "cannot be read: " + (said == null ? thrown.getClass().getSimpleName() : said.lines().findFirst().orElse(""));
    }
}
