// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkContext$;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.serializer.JavaSerializer;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.settings.Settings;
import scala.Option;

/** The Spark session to run in: the platform's (spark-submit, Databricks, EMR), or else a local one. */
public final class Sessions {
    private static final String SERIALIZER = "spark.serializer";
    private static final String ISOLATION = "spark.sql.artifact.isolation.enabled";
    private static final String JAVA_SERIALIZER = JavaSerializer.class.getName();

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
        boolean isSql = !settings.string("corpus.table").isBlank() || !settings.string("corpus.query").isBlank();
        return run(name, settings, isSql, settings.string("corpus.format"), job);
    }

    /**
     * Runs a job that writes a table.
     *
     * @param format see {@link #prepareTables}
     */
    public static <T> T runWithTables(String name, Settings settings, String format, Function<SparkSession, T> job) {
        return run(name, settings, true, format, job);
    }

    private static <T> T run(String name, Settings settings, boolean isSql, String format, Function<SparkSession, T> job) {
        boolean ours = !isGuest();
        SparkConf conf = new SparkConf();
        SparkSettings.apply(settings, conf, name, ours);
        if (ours) {
            prepare(conf);
            prepareTables(isSql, format, conf);
            SparkSettings.requireFolderAndPort(conf);
        }
        SparkSettings.warnOfIgnored(settings, ours ? conf : active().get().getConf(),
                ours ? "spark-submit or Potstill itself sets them" : "using an existing Spark session with its own settings");
        try {
            SparkSession spark = start(settings, conf);
            requireJavaSerializer();
            Platform.requirePaths(settings, spark.sparkContext().hadoopConfiguration());
            return job.apply(spark);
        } catch (Exception e) {
            // Explained before Spark deletes its files: a full disk then no longer is. Spark reads some settings only when it needs them.
            Failures.explain(e).or(() -> SparkSettings.explain(settings, e, false)).ifPresent(known -> {
                throw known;
            });
            throw e;
        } finally {
            if (ours && isGuest()) {
                active().get().stop();
            }
        }
    }

    private static SparkSession start(Settings settings, SparkConf conf) {
        try {
            SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
            // Reads the settings of SQL, which a session puts off until its first query.
            spark.conf();
            // Reads the settings of compression, which a context puts off until its first broadcast.
            new JavaSparkContext(spark.sparkContext()).broadcast(0).destroy();
            return spark;
        } catch (Exception e) {
            throw Failures.explain(e).or(() -> SparkSettings.explain(settings, e, true)).orElseGet(() -> PlatformErrors.noSession(SparkSettings.given(settings), e));
        }
    }

    static void prepare(SparkConf conf) {
        addPlugin(conf);
        addPrometheus(conf);
        // Kryo, the default of some clusters, cannot deserialize Java records.
        conf.set(SERIALIZER, JAVA_SERIALIZER);
        // Otherwise tasks of Spark 4 ask the driver for each class that a generated one may mean, and in one process may wait for themselves.
        conf.setIfMissing(ISOLATION, "false");
        if (conf.get("spark.master").matches("local(\\[.*)?")) {
            // Otherwise a task's error ends this process before it can be reported.
            conf.setIfMissing("spark.executor.killOnFatalError.depth", "0");
            // A local scheduler that waits for a place nearer to a block of HDFS is not woken when the wait is over.
            conf.setIfMissing("spark.locality.wait", "0s");
        }
    }

    /** Serves the driver's metrics on its UI's port, unless the user has set up sinks. */
    private static void addPrometheus(SparkConf conf) {
        if (Arrays.stream(conf.getAll()).noneMatch(set -> set._1().startsWith("spark.metrics.conf"))) {
            conf.set("spark.metrics.conf.driver.sink.prometheusServlet.class", "org.apache.spark.metrics.sink.PrometheusServlet");
            conf.set("spark.metrics.conf.driver.sink.prometheusServlet.path", "/metrics/prometheus");
        }
    }

    /**
     * Lets Spark know the tables that the job reads or writes, as far as their classes are there and the user has not said otherwise.
     *
     * @param isSql  whether they may be in a metastore
     * @param format theirs
     */
    private static void prepareTables(boolean isSql, String format, SparkConf conf) {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        if (isSql && loader.getResource("hive-site.xml") != null && loader.getResource("org/apache/spark/sql/hive/HiveSessionStateBuilder.class") != null) {
            conf.setIfMissing("spark.sql.catalogImplementation", "hive");
        }
        String extension = "io.delta.sql.DeltaSparkSessionExtension";
        if (format.equalsIgnoreCase("delta") && loader.getResource(extension.replace('.', '/') + ".class") != null) {
            conf.setIfMissing("spark.sql.extensions", extension);
            conf.setIfMissing("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog");
        }
    }

    private static void requireJavaSerializer() {
        String serializer = SparkEnv.get().serializer().getClass().getName();
        if (!serializer.equals(JAVA_SERIALIZER)) {
            throw PlatformErrors.otherSerializer(serializer, JAVA_SERIALIZER);
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
