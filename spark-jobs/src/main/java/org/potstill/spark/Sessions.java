// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkContext$;
import org.apache.spark.SparkEnv;
import org.apache.spark.serializer.JavaSerializer;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.settings.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Option;

/** The Spark session to run in: the platform's (spark-submit, Databricks, EMR), or else a local one. */
public final class Sessions {
    private static final Logger LOG = LoggerFactory.getLogger(Sessions.class);
    private static final String SERIALIZER = "spark.serializer";
    private static final String JAVA_SERIALIZER = JavaSerializer.class.getName();

    /** Settings that Spark reads before this process starts. */
    private static final List<String> BEFORE_START = List.of("spark.driver.memory", "spark.driver.extraJavaOptions",
            "spark.driver.extraClassPath", "spark.driver.extraLibraryPath", "spark.jars.packages");

    private Sessions() {
    }

    /** Whether a Spark context existed before; it then belongs to someone else and stays open. */
    public static boolean isGuest() {
        return active().isDefined();
    }

    private static Option<SparkContext> active() {
        return SparkContext$.MODULE$.getActive();
    }

    /** Runs a job, and stops the session afterwards only if it was begun here: a notebook's goes on. */
    public static <T> T run(String name, Settings settings, Function<SparkSession, T> job) {
        boolean ours = !isGuest();
        SparkConf conf = new SparkConf();
        if (ours) {
            requireInTime(settings.spark(), conf);
        }
        // Settings of spark-submit override the file.
        settings.spark().forEach(conf::setIfMissing);
        conf.setIfMissing("spark.master", "local[*]");
        conf.setIfMissing("spark.app.name", "potstill " + name);
        if (ours) {
            prepare(conf);
        } else {
            warnOfIgnored(settings, active().get().getConf());
        }
        SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
        try {
            requireJavaSerializer();
            Platform.requirePaths(settings, spark.sparkContext().hadoopConfiguration());
            return job.apply(spark);
        } finally {
            if (ours) {
                spark.stop();
            }
        }
    }

    static void prepare(SparkConf conf) {
        addPlugin(conf);
        // Kryo, the default of some clusters, cannot deserialize Java records.
        conf.set(SERIALIZER, JAVA_SERIALIZER);
        if (conf.get("spark.master").matches("local(\\[.*)?")) {
            // Otherwise a task's error ends this process before it can be reported.
            conf.setIfMissing("spark.executor.killOnFatalError.depth", "0");
        }
    }

    /** @throws org.potstill.errors.UserException when a setting would be ignored because it comes too late */
    static void requireInTime(Map<String, String> settings, SparkConf started) {
        for (String key : BEFORE_START) {
            if (settings.containsKey(key) && !settings.get(key).equals(started.get(key, null))) {
                throw PlatformErrors.settingTooLate(key);
            }
        }
    }

    private static void requireJavaSerializer() {
        String serializer = SparkEnv.get().serializer().getClass().getName();
        if (!serializer.equals(JAVA_SERIALIZER)) {
            throw PlatformErrors.otherSerializer(serializer, JAVA_SERIALIZER);
        }
    }

    private static void warnOfIgnored(Settings settings, SparkConf theirs) {
        Map<String, String> ignored = new TreeMap<>(settings.spark());
        ignored.keySet().removeIf(key -> ignored.get(key).equals(theirs.get(key, null)) || key.equals("spark.locality.wait"));
        if (!ignored.isEmpty()) {
            // Not their values, which may be secrets.
            LOG.warn("using an existing Spark session with its own settings: {} are not applied", ignored.keySet());
        }
    }

    /** Beside the plugins that are set already. */
    static void addPlugin(SparkConf conf) {
        String name = PotstillPlugin.class.getName();
        String others = conf.get("spark.plugins", "");
        if (!List.of(others.split("\\s*,\\s*")).contains(name)) {
            conf.set("spark.plugins", others.isBlank() ? name : others + "," + name);
        }
    }
}
