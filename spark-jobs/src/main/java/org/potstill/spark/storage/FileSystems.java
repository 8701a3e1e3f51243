// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.storage;

import java.io.File;
import java.io.IOException;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.util.VersionInfo;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkContext$;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.potstill.spark.errors.PlatformErrors;
import scala.Option;

/** The file systems of paths: some come with Spark, the user adds others. */
public final class FileSystems {
    private static final Map<String, String> ARTIFACTS = Map.of("s3a", "org.apache.hadoop:hadoop-aws:", "abfs", "org.apache.hadoop:hadoop-azure:",
            "abfss", "org.apache.hadoop:hadoop-azure:", "wasb", "org.apache.hadoop:hadoop-azure:", "wasbs", "org.apache.hadoop:hadoop-azure:",
            "adl", "org.apache.hadoop:hadoop-azure-datalake:", "oss", "org.apache.hadoop:hadoop-aliyun:", "cosn", "org.apache.hadoop:hadoop-cos:");

    private FileSystems() {
    }

    /**
     * Rejects a path whose file system is missing.
     *
     * @param setting that names it
     */
    public static void require(String setting, Path path, Configuration hadoop) {
        String scheme = path.toUri().getScheme();
        if (scheme == null) {
            return;
        }
        // Hadoop can open a file there, and list none.
        if (scheme.matches("https?") && !setting.startsWith("--")) {
            throw PlatformErrors.noFileSystem(setting, path.toString(), scheme, remedy(scheme, path));
        }
        try {
            FileSystem.getFileSystemClass(scheme, hadoop);
        } catch (IOException | RuntimeException | LinkageError e) {
            // One that cannot be loaded is a ClassNotFoundException in a RuntimeException, or lacks the classes it needs.
            throw PlatformErrors.noFileSystem(setting, path.toString(), scheme, remedy(scheme, path));
        }
    }

    /**
     * Returns what a session would give its file systems, for commands that need no more of Spark than that.
     *
     * @param settings {@code spark.*}
     */
    public static Configuration configuration(Map<String, String> settings) {
        Option<SparkContext> active = SparkContext$.MODULE$.getActive();
        SparkConf conf = active.isDefined() ? active.get().getConf() : new SparkConf();
        settings.forEach(conf::setIfMissing);
        return SparkHadoopUtil.get().newConfiguration(conf);
    }

    /**
     * Returns one name for all spellings of a path on a local disk: relative, with a scheme or without, or through symbolic links, as far
     * as the path exists. Paths on other file systems are returned as they are.
     */
    public static Path canonical(Path path) {
        String scheme = path.toUri().getScheme();
        if (scheme != null && !scheme.equals("file")) {
            return path;
        }
        try {
            return new Path("file", null, new File(path.toUri().getPath()).getCanonicalPath());
        } catch (IOException e) {
            return path;
        }
    }

    private static String remedy(String scheme, Path path) {
        String artifact = ARTIFACTS.get(scheme);
        if (artifact != null) {
            return "start with --packages " + artifact + VersionInfo.getVersion() + " (an option of spark-submit; for deploy/potstill in POTSTILL_SUBMIT)";
        }
        return switch (scheme) {
            case "gs" -> "start with --jars gcs-connector-hadoop3-latest.jar and spark.hadoop.fs.gs.impl=com.google.cloud.hadoop.fs.gcs.GoogleHadoopFileSystem "
                    + "(options of spark-submit; for deploy/potstill in POTSTILL_SUBMIT)";
            case "s3", "s3n" -> "write s3a" + path.toString().substring(scheme.length()) + ", which needs --packages org.apache.hadoop:hadoop-aws:"
                    + VersionInfo.getVersion();
            case "http", "https", "ftp" -> "download it, and set the path to the local file";
            default -> "check the path: file:, hdfs: and s3a: are common; add your own file system with --jars and spark.hadoop.fs."
            + scheme + ".impl";
        };
    }
}
