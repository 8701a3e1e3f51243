// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValueType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.potstill.errors.UserException;
import org.potstill.spark.storage.FileSystems;

/**
 * The defaults, files and command line, merged.
 *
 * @param config the merged settings
 * @param spark  the {@code spark.*} settings, flat: {@code spark.speculation} and {@code spark.speculation.interval} are both values
 * @param given  keys that the user set
 */
record SettingsStack(Config config, SortedMap<String, String> spark, Set<String> given) {
    private static final String FILE = "potstill-defaults.conf";
    private static final Config DEFAULTS = ConfigFactory.parseResources(SettingsStack.class.getClassLoader(), FILE);
    private static final SettingKinds KINDS = new SettingKinds(resolved(List.of(DEFAULTS)));

    /** See {@link Settings#load}. */
    static SettingsStack read(List<String> files, List<String> overrides) {
        List<Config> said = overrides.stream().map(override -> SettingsSource.override(override, KINDS)).toList();
        String named = files.isEmpty() ? "--set" : String.join(" and ", files);
        try {
            List<Config> sources = new ArrayList<>();
            for (String file : files) {
                List<Config> before = new ArrayList<>(sources);
                before.addAll(said);
                sources.add(SettingsSource.file(file, () -> FileSystems.configuration(spark(before))));
            }
            sources.addAll(said);
            return of(sources);
        } catch (ConfigException e) {
            throw SettingsErrors.unreadableConfiguration(named, String.valueOf(e.getMessage()));
        } catch (StackOverflowError e) {
            // The resolver follows references recursively, thousands of frames deep.
            throw SettingsErrors.unreadableConfiguration(named, "too many references refer to one another in a chain");
        }
    }

    private static SettingsStack of(List<Config> sources) {
        List<Config> all = new ArrayList<>(List.of(DEFAULTS));
        all.addAll(sources);
        Config config = resolvedOrFound(all);
        // Each by itself: what the whole says of a key is the last word on it only.
        List<Config> resolved = new ArrayList<>();
        all.forEach(source -> resolved.add(source.resolveWith(config.withFallback(ConfigFactory.systemProperties()))));
        List<UserException> findings = new ArrayList<>();
        Set<String> given = new TreeSet<>();
        for (Config source : resolved.subList(1, resolved.size())) {
            findings.addAll(KINDS.findings(source));
            collectKeys("", source.root(), given);
        }
        if (!findings.isEmpty()) {
            throw SettingsErrors.together(findings);
        }
        // Of references to themselves the whole has the right value.
        resolved.add(config);
        return new SettingsStack(config, spark(resolved), given);
    }

    /** Finds the cause of a failing reference, such as a section that is set to a value. */
    private static Config resolvedOrFound(List<Config> all) {
        try {
            return resolved(all);
        } catch (ConfigException e) {
            List<UserException> findings = all.stream().skip(1).filter(Config::isResolved).flatMap(source -> KINDS.findings(source).stream()).toList();
            throw findings.isEmpty() ? e : SettingsErrors.together(findings);
        }
    }

    /** Resolves references to other settings and, as in the defaults, to system properties, which are not settings themselves. */
    private static Config resolved(List<Config> sources) {
        Config system = ConfigFactory.systemProperties();
        for (String ours : DEFAULTS.root().keySet()) {
            system = system.withoutPath(ConfigUtil.joinPath(ours));
        }
        Config all = ConfigFactory.empty();
        for (Config source : sources) {
            all = source.withFallback(all);
        }
        all = all.withFallback(system).resolve();
        for (String theirs : system.root().keySet()) {
            all = all.withoutPath(ConfigUtil.joinPath(theirs));
        }
        return all;
    }

    /** The {@code spark.*} settings of sources, the later ones above the earlier; of unresolved ones what they say themselves. */
    private static SortedMap<String, String> spark(List<Config> sources) {
        SortedMap<String, String> flat = new TreeMap<>();
        for (Config source : sources) {
            Config own = source.resolve(ConfigResolveOptions.defaults().setAllowUnresolved(true));
            if (own.isResolved() && own.root().get("spark") instanceof ConfigObject section) {
                section.toConfig().entrySet().stream().filter(e -> e.getValue().valueType() != ConfigValueType.LIST)
                        .forEach(e -> flat.put("spark." + String.join(".", ConfigUtil.splitPath(e.getKey())), SettingKinds.text(e.getValue())));
            }
        }
        return flat;
    }

    /** Returns the defaults file as shipped, with its comments. */
    static String defaults() {
        try (InputStream in = SettingsStack.class.getClassLoader().getResourceAsStream(FILE)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void collectKeys(String prefix, ConfigObject object, Set<String> keys) {
        object.forEach((name, value) -> {
            if (value instanceof ConfigObject child) {
                collectKeys(prefix + name + ".", child, keys);
            } else {
                keys.add(prefix + name);
            }
        });
    }
}
