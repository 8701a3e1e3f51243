// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.io.Serializable;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The secret that a server asks for, or none. It comes from the environment and is printed nowhere.
 *
 * @param value empty for none
 */
public record ServerKey(String value) implements Serializable {
    public static final String VARIABLE = "POTSTILL_TEACHER_KEY";
    private static final String USUAL_VARIABLE = "OPENAI_API_KEY";
    private static final String HIDDEN = "***";

    /** @throws org.potstill.errors.UserException if it cannot be sent in a header */
    public ServerKey {
        // Otherwise the HTTP client would quote it in an exception.
        if (!value.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw ServerErrors.badKey();
        }
    }

    /** Returns the value of {@value #VARIABLE} or, if that is not set, of {@code OPENAI_API_KEY}. */
    public static ServerKey of(Map<String, String> environment) {
        return of(environment, "");
    }

    /**
     * Returns the key for one of several teachers: the value of {@value #VARIABLE} with the teacher's name in capitals after another
     * underscore, or, if that is not set, the key for all, see {@link #of(Map)}.
     *
     * @param teacher letters, digits, hyphens and underscores; empty for the only teacher
     */
    public static ServerKey of(Map<String, String> environment, String teacher) {
        String own = VARIABLE + "_" + teacher.toUpperCase(Locale.ROOT).replace('-', '_');
        return new ServerKey(Stream.of(own, VARIABLE, USUAL_VARIABLE).map(name -> environment.getOrDefault(name, "").strip())
                .filter(value -> !value.isEmpty()).findFirst().orElse(""));
    }

    public boolean isSet() {
        return !value.isEmpty();
    }

    /** Returns a text without the key, which servers may quote. */
    String hideIn(String text) {
        return isSet() ? text.replace(value, HIDDEN) : text;
    }

    @Override
    public String toString() {
        return isSet() ? HIDDEN : "none";
    }
}
