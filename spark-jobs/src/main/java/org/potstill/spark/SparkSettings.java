// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkThrowable;
import org.apache.spark.internal.config.ConfigEntry;
import org.apache.spark.util.Utils;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.JobErrors;
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

    /** Ports that Spark listens on. */
    private static final Pattern PORT = Pattern.compile("spark\\.(ui|blockManager|driver|driver\\.blockManager|potstill\\.exchange)\\.port");
    private static final int MIN_PORT = 1024;
    private static final int MAX_PORT = 65_535;
    /** Length of the shortest value that is told from the words of a message. */
    private static final int MIN_VALUE = 3;

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
            if (PORT.matcher(key).matches() && value.matches("-?[0-9]{1,18}") && Long.parseLong(value) != 0 && (Long.parseLong(value) < MIN_PORT || Long.parseLong(value) > MAX_PORT)) {
                settings.reject(key, value + " is neither 0, for any free port, nor between " + MIN_PORT + " and " + MAX_PORT);
            }
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

    /**
     * Explains a failure of Spark by a setting: one that a message names or, while Spark starts, one whose value it contains.
     *
     * @param starting whether Spark failed to start
     */
    static Optional<UserException> explain(Settings settings, Throwable thrown, boolean starting) {
        List<Throwable> rootFirst = new ArrayList<>(Failures.causes(thrown));
        Collections.reverse(rootFirst);
        for (Throwable cause : rootFirst) {
            String message = PlatformErrors.reason(cause);
            Optional<String> key = longest(given(settings).stream().filter(named -> contains(message, named)))
                    .filter(named -> starting || cause instanceof IllegalArgumentException || cause instanceof SparkThrowable)
                    .or(() -> longest(given(settings).stream().filter(named -> starting && settings.spark().get(named).length() >= MIN_VALUE
                            && contains(message, settings.spark().get(named)))));
            if (key.isPresent()) {
                return key.map(named -> PlatformErrors.refusedBySpark(named, cause instanceof ClassNotFoundException ? "there is no class " + message : message, thrown));
            }
        }
        return Optional.empty();
    }

    /** Returns the keys that the user set. */
    static List<String> given(Settings settings) {
        return settings.spark().keySet().stream().filter(settings::isGiven).toList();
    }

    private static Optional<String> longest(Stream<String> keys) {
        return keys.max(Comparator.comparingInt(String::length));
    }

    /** Whether a message contains a word that is not part of a longer one. */
    private static boolean contains(String message, String word) {
        return Pattern.compile("(?<![\\w.])" + Pattern.quote(word) + "(?!\\w|\\.\\w)").matcher(message).find();
    }

    /** Rejects folders for Spark's temporary files, and ports of its pages, of which none can be used: Spark would end the process. */
    static void requireFolderAndPort(SparkConf conf) {
        int port = conf.getInt("spark.ui.port", 4040);
        if (conf.getBoolean("spark.ui.enabled", true) && port > 0 && IntStream.rangeClosed(port, port + conf.getInt("spark.port.maxRetries", 16))
                .noneMatch(SparkSettings::isFree)) {
            throw JobErrors.badValue("spark.ui.port", "port " + port + " and the next spark.port.maxRetries are in use");
        }
        String[] folders = Utils.getConfiguredLocalDirs(conf);
        IOException last = null;
        for (String folder : folders) {
            try {
                Files.delete(Files.createTempDirectory(Files.createDirectories(Path.of(folder)), "potstill-"));
                return;
            } catch (IOException e) {
                last = e;
            }
        }
        throw JobErrors.unwritable("temporary files (spark.local.dir)", String.join(", ", folders), last);
    }

    private static boolean isFree(int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(port));
            return true;
        } catch (IOException | IllegalArgumentException e) {
            return false;
        }
    }

    /** Warns of settings that something else has overridden, without their values, which may be secrets. */
    static void warnOfIgnored(Settings settings, SparkConf theirs, String because) {
        List<String> ignored = given(settings).stream().filter(key -> !key.equals("spark.plugins"))
                .filter(key -> !settings.spark().get(key).equals(theirs.get(key, null))).toList();
        if (!ignored.isEmpty()) {
            LOG.warn("{}: the values of {} in the settings are not applied", because, ignored);
        }
    }
}
