package org.potstill.spark;

import java.util.List;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;

/** Gets the Spark session to run in: the platform's (spark-submit, Databricks, EMR), else a local one. */
public final class Sessions {
    private Sessions() {
    }

    /** Runs a job, and stops the session afterwards only if it was begun here: a notebook's goes on. */
    public static <T> T run(String name, Settings settings, Function<SparkSession, T> job) {
        boolean ours = SparkSession.getActiveSession().isEmpty() && SparkSession.getDefaultSession().isEmpty();
        SparkConf conf = new SparkConf();
        // What spark-submit said stands above the file.
        settings.spark().forEach(conf::setIfMissing);
        conf.setIfMissing("spark.master", "local[*]");
        conf.setIfMissing("spark.app.name", "potstill " + name);
        if (ours) {
            addPlugin(conf);
        }
        SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
        try {
            return job.apply(spark);
        } finally {
            if (ours) {
                spark.stop();
            }
        }
    }

    /** What a session would give its file systems, for commands that need no more of Spark than that. */
    public static Configuration hadoop(Settings settings) {
        SparkConf conf = new SparkConf();
        settings.spark().forEach(conf::setIfMissing);
        return SparkHadoopUtil.get().newConfiguration(conf);
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
