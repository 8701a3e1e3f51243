// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigUtil;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** The options of a Spark source, {@code corpus.options}, which may hold secrets. */
final class SourceOptions {
    static final String SECTION = "corpus.options";
    private static final Pattern SECRET = Pattern.compile("(?i).*(passw|pwd|secret|token|key|credential|auth).*");
    /** In a URL: a parameter's value, or the user and password before the host. */
    private static final Pattern IN_VALUE = Pattern.compile("(?i)(?<=(passw|pwd|secret|token|key|credential)\\w{0,20}=)[^&;\\s]+|(?<=://)[^/@\\s]+(?=@)");
    private static final String REDACTED = "(redacted)";

    private SourceOptions() {
    }

    /** Returns them as Spark takes them: names with dots are one. */
    static SortedMap<String, String> of(Config config) {
        SortedMap<String, String> flat = new TreeMap<>();
        config.getConfig(SECTION).entrySet().forEach(option -> flat.put(String.join(".", ConfigUtil.splitPath(option.getKey())), SettingKinds.text(option.getValue())));
        return flat;
    }

    /** Returns them for the records, without secrets. */
    static SortedMap<String, String> redacted(Config config) {
        SortedMap<String, String> options = of(config);
        options.replaceAll((name, value) -> SECRET.matcher(name).matches() ? REDACTED : IN_VALUE.matcher(value).replaceAll(REDACTED));
        return options;
    }
}
