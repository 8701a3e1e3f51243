// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.util.Optional;
import java.util.regex.Pattern;
import org.potstill.spark.Failures;

/** A file, or its rest, that cannot be read as text; the message is for the user. */
final class Unreadable extends IOException {
    private static final long serialVersionUID = 1;
    private static final String INVALID = "its content is not valid";
    private static final Pattern CLASS = Pattern.compile("\\b(?:[a-z][a-z0-9_]*\\.)+[A-Z]\\w*(?:Exception|Error)(?:: )?");

    private final boolean damage;

    Unreadable(String why) {
        super(why);
        this.damage = false;
    }

    Unreadable(String why, Throwable origin) {
        this(why, origin, false);
    }

    /** @param damage whether the bytes before it may be wrong, too, since checksums come after what they are of */
    Unreadable(String why, Throwable origin, boolean damage) {
        super(why, origin);
        this.damage = damage;
    }

    static boolean isDamage(Throwable thrown) {
        return Failures.firstCause(thrown, Unreadable.class).filter(unreadable -> unreadable.damage).isPresent();
    }

    /** Returns the message of a library's exception, or that of the {@link Unreadable} which it wraps. */
    static String why(Throwable thrown) {
        return Failures.firstCause(thrown, Unreadable.class).map(Throwable::getMessage)
                .or(() -> said(thrown)).orElse(INVALID);
    }

    /** Returns the first line of an exception's message without names of classes; empty if it is for programmers only. */
    static Optional<String> said(Throwable thrown) {
        boolean programmers = thrown instanceof IndexOutOfBoundsException || thrown instanceof NegativeArraySizeException
                || thrown instanceof NullPointerException || thrown instanceof ClassCastException;
        String line = thrown.getMessage() == null || programmers ? "" : thrown.getMessage().lines().findFirst().orElse("");
        return Optional.of(CLASS.matcher(line).replaceAll("")).filter(words -> !words.isBlank());
    }

    /** Returns the reason for the quarantine. */
    static String reason(Throwable thrown) {
        if (thrown instanceof Unreadable) {
            return thrown.getMessage();
        }
        if (thrown instanceof CharacterCodingException) {
            return "not valid in the encoding that its first bytes indicate (UTF-16 or UTF-32), or truncated";
        }
        return "cannot be read: " + said(thrown).orElse(INVALID);
    }
}
