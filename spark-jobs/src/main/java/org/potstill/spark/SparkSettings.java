// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;
import org.apache.spark.internal.config.ConfigEntry;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.settings.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The {@code spark.*} settings: checked, and put beneath those of spark-submit. */
public final class SparkSettings {
    private static final Logger LOG = LoggerFactory.getLogger(SparkSettings.class);
    private static final String MASTER = "spark.master";
    private static final String APP_NAME = "spark.app.name";
    /** What spark-submit sets if it is not told otherwise. */
    private static final Map<String, String> SUBMIT_DEFAULTS = Map.of(MASTER, "local[*]", APP_NAME, "org.potstill.cli.Potstill");
    /** Settings that spark-submit acts on before this process starts. */
    private static final Pattern BEFORE_START = Pattern.compile("spark\\.(submit\\..*|jars(\\..*)?|(kerberos|yarn)\\.(keytab|principal)"
            + "|driver\\.(cores|memory|memoryOverhead|memoryOverheadFactor|defaultJavaOptions|extraJavaOptions|extraClassPath"
            + "|extraLibraryPath|userClassPathFirst|supervise))");

    static {
        // Each registers its keys when it is loaded; SQLConf loads the others of SQL.
        List.of(org.apache.spark.internal.config.package$.MODULE$, org.apache.spark.internal.config.Kryo$.MODULE$,
                org.apache.spark.internal.config.Network$.MODULE$, org.apache.spark.internal.config.Status$.MODULE$,
                org.apache.spark.internal.config.UI$.MODULE$, org.apache.spark.sql.internal.SQLConf$.MODULE$,
                org.apache.spark.sql.internal.StaticSQLConf$.MODULE$).forEach(entries -> LOG.trace("{}", entries));
    }

    private SparkSettings() {
    }

    /** Rejects values that Spark could not parse: it reads some of them only when the job is under way. */
    public static void check(Settings settings) {
        settings.spark().forEach((key, value) -> {
            ConfigEntry<?> entry = ConfigEntry.findEntry(key);
            if (entry == null || value.contains("${")) {
                return;
            }
            try {
                entry.valueConverter().apply(value);
            } catch (RuntimeException e) {
                settings.reject(key, PlatformErrors.reason(e));
            }
        });
    }

    /**
     * Adds the settings to those of spark-submit, which override them.
     *
     * @param name the command
     * @param ours whether the session is yet to be started
     * @throws org.potstill.errors.UserException when a setting would be ignored because it comes too late
     */
    static void apply(Settings settings, SparkConf conf, String name, boolean ours) {
        if (ours) {
            requireInTime(settings.spark(), conf);
        }
        SUBMIT_DEFAULTS.forEach((key, standard) -> {
            if (conf.get(key, "").equals(standard)) {
                conf.remove(key);
            }
        });
        settings.spark().forEach(conf::setIfMissing);
        conf.setIfMissing(MASTER, "local[*]");
        conf.setIfMissing(APP_NAME, "potstill " + name);
    }

    static void requireInTime(Map<String, String> settings, SparkConf started) {
        settings.forEach((key, value) -> {
            if (BEFORE_START.matcher(key).matches() && !value.equals(started.get(key, null))) {
                throw PlatformErrors.settingTooLate(key, value);
            }
        });
        String master = settings.getOrDefault(MASTER, "local");
        // For any other master spark-submit would have prepared the application differently.
        if (started.get(MASTER, "").equals(SUBMIT_DEFAULTS.get(MASTER)) && !master.startsWith("local")) {
            throw PlatformErrors.settingTooLate(MASTER, master);
        }
    }

    /** Warns of settings that something else has overridden, without their values, which may be secrets. */
    static void warnOfIgnored(Settings settings, SparkConf theirs, String because) {
        List<String> ignored = settings.spark().keySet().stream().filter(settings::isGiven).filter(key -> !key.equals("spark.plugins"))
                .filter(key -> !settings.spark().get(key).equals(theirs.get(key, null))).toList();
        if (!ignored.isEmpty()) {
            LOG.warn("{}: the values of {} in the settings are not applied", because, ignored);
        }
    }
}
