// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import java.util.List;
import org.apache.commons.lang3.StringUtils;
import org.potstill.errors.UserException;

/** User errors of settings. */
final class SettingsErrors {
    /** Characters of a text of any length that a message quotes. */
    private static final int MAX_QUOTED = 300;

    private SettingsErrors() {
    }

    static UserException unreadableConfiguration(String file, String why) {
        return new UserException("cannot read the configuration " + StringUtils.abbreviate(file, MAX_QUOTED), why,
                "see potstill label --help; potstill defaults prints a file to start from");
    }

    static UserException configurationIncludes(String what) {
        return new UserException("the configuration includes " + what, "settings files cannot include others",
                "pass several files: --conf " + what + " --conf FILE; later files override earlier ones");
    }

    /** @param remedy what to write instead */
    static UserException misreadSetting(String origin, int line, String why, String remedy) {
        return new UserException("line " + line + " of " + origin + " would not be read as written", why, remedy);
    }

    /** Combines several errors into one that names each. */
    static UserException together(List<UserException> all) {
        if (all.size() == 1) {
            return all.get(0);
        }
        StringBuilder causes = new StringBuilder();
        all.forEach(each -> causes.append("\n    ").append(each.problem()).append(": ").append(each.cause()));
        String remedies = String.join("; ", all.stream().map(UserException::remedy).distinct().limit(2).toList());
        return new UserException(all.size() + " settings cannot be used", causes.toString(),
                all.stream().map(UserException::remedy).distinct().count() <= 2 ? remedies
                        : "correct each in its file or on the command line; potstill defaults prints every key and its default");
    }

    static UserException unknownKey(String key, String nearest) {
        return new UserException("unknown configuration key '" + StringUtils.abbreviate(key, MAX_QUOTED) + "'",
                "no such setting; " + (nearest.isEmpty() ? "none has a similar name" : "did you mean '" + nearest + "'?"),
                "correct the key; potstill defaults prints every key and its default");
    }

    /** @param where the line in parentheses; may be empty */
    static UserException quotedKey(String above, String name, String where) {
        int dot = name.indexOf('.');
        String key = StringUtils.abbreviate(name, MAX_QUOTED);
        return new UserException("'" + above + "\"" + key + "\"' is not a setting" + where, "in quotes, a dot is part of the name",
                "write " + above + key + " without quotes or, in JSON, \"" + StringUtils.abbreviate(name.substring(0, dot), MAX_QUOTED) + "\": { \""
                        + StringUtils.abbreviate(name.substring(dot + 1), MAX_QUOTED) + "\": ... }");
    }

    /** @param settings some of the section's */
    static UserException sectionValue(String section, List<String> settings) {
        return new UserException("'" + section + "' is a section and takes no value", "it contains settings such as " + String.join(", ", settings),
                "set one of them, for instance --set " + settings.get(0) + "=...");
    }
}
