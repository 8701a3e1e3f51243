// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.errors;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.apache.commons.lang3.StringUtils;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.apache.spark.SparkThrowable;
import org.potstill.errors.UserException;

/** User errors about corpora that Spark reads; see {@link CorpusErrors}. */
public final class TableErrors {
    private static final int MAX_REASON = 400;
    private static final Pattern CODE = Pattern.compile("^\\s*\\[[A-Z0-9_.]+\\]\\s*|\\s*SQLSTATE: \\w+");
    private static final String MISSING =
            "(?:DATA_SOURCE_NOT_FOUND|[Ff]ailed to find (?:the )?data source|find catalog plugin class|ClassNotFoundException|NoClassDefFoundError)";
    private static final List<Known> KNOWN = List.of(
            new Known(MISSING + ".*[ ./]avro\\b", "; if it is right, give spark-submit --packages org.apache.spark:spark-avro_" + Versions.scala()
                    + ":" + org.apache.spark.package$.MODULE$.SPARK_VERSION()),
            new Known(MISSING + ".*[ ./]iceberg\\b",
                    packages("org.apache.iceberg:" + Versions.iceberg())),
            new Known(MISSING, packages("io.delta:" + delta())),
            new Known("TABLE_OR_VIEW_NOT_FOUND|SCHEMA_NOT_FOUND|REQUIRES_SINGLE_PART_NAMESPACE",
                    "; Spark knows a catalog by spark.sql.catalog.NAME, and Hive's tables with spark.sql.catalogImplementation = hive and a "
                            + "hive-site.xml on its class path"),
            new Known("WITHOUT_HIVE_SUPPORT|Hive support is required", "; set spark.sql.catalogImplementation = hive, with a Spark that was built with Hive"),
            new Known("DELTA_CONFIGURE_SPARK_SESSION", "; set spark.sql.extensions = io.delta.sql.DeltaSparkSessionExtension and "
                    + "spark.sql.catalog.spark_catalog = org.apache.spark.sql.delta.catalog.DeltaCatalog"));

    /** What to do about a failure whose message matches. */
    private record Known(Pattern pattern, String remedy) {
        Known(String words, String remedy) {
            this(Pattern.compile(words), remedy);
        }
    }

    private TableErrors() {
    }

    /** Delta's package for the Scala 2.13 of one Spark does not load in another. */
    private static String delta() {
        return "delta-spark" + (Versions.scala().equals("2.12") ? "" : "_" + Versions.minor(org.apache.spark.package$.MODULE$.SPARK_VERSION()));
    }

    private static String packages(String example) {
        return "; if it is right, give spark-submit the jar that has it, such as with --packages " + example + "_" + Versions.scala()
                + ":VERSION, made for this Spark";
    }

    /**
     * Explains why Spark cannot read a corpus.
     *
     * @param corpus  its name
     * @param setting the one that says where it is
     */
    public static UserException unreadable(String corpus, String setting, Throwable thrown) {
        String all = ExceptionUtils.getThrowableList(thrown).stream().map(Throwable::toString).reduce("", (one, other) -> one + "\n" + other);
        String remedy = "check " + setting + KNOWN.stream().filter(known -> known.pattern.matcher(all).find()).map(Known::remedy).findFirst()
                .orElse(" (and corpus.where, if it is set)");
        return new UserException("cannot read the corpus: " + corpus, reason(thrown), remedy, thrown);
    }

    /** Explains why Spark cannot write a table. */
    public static UserException unwritable(String table, Throwable thrown) {
        String all = ExceptionUtils.getThrowableList(thrown).stream().map(Throwable::toString).reduce("", (one, other) -> one + "\n" + other);
        return new UserException("cannot write the table " + table, reason(thrown), "check --to-table and --format"
                + KNOWN.stream().filter(known -> known.pattern.matcher(all).find()).map(Known::remedy).findFirst().orElse(""), thrown);
    }

    public static UserException otherColumns(String table, List<String> held, List<String> wanted) {
        return new UserException("the table " + table + " has other columns", "it has " + String.join(", ", held) + ", where " + String.join(", ", wanted)
                + " are to be written", "name another table, or give or leave out --decoded as when it was made");
    }

    public static UserException forgottenTable(String table) {
        return new UserException("the table " + table + " would be forgotten at once", "this Spark keeps its catalog in memory",
                "name a table in a catalog that Spark knows by spark.sql.catalog.NAME, or put a hive-site.xml on the class path, with a Spark that was "
                        + "built with Hive");
    }

    /** A call of potstill_decode that cannot be answered. */
    public static UserException badDecoding(String why) {
        return new UserException("potstill_decode cannot decode this", why, "call potstill_decode(targets, tokens) with these columns of a cache's labels, or with the "
                + "cache's folder teacher=.../spec=... as a third argument, in quotes");
    }

    /** @param held the folders of labels of a cache */
    public static UserException notOneFolder(String path, List<String> held) {
        return new UserException("cannot tell which soft labels are meant: " + path, held.isEmpty() ? "it is neither a cache nor a folder of one" : "it holds " + held,
                "name a folder teacher=.../spec=... of the cache");
    }

    /** Returns the first line of what Spark says. */
    private static String reason(Throwable thrown) {
        Throwable root = ExceptionUtils.getRootCause(thrown);
        if (!(thrown instanceof SparkThrowable) && (root instanceof ClassNotFoundException || root instanceof NoClassDefFoundError)) {
            return "there is no class " + root.getMessage();
        }
        String said = Optional.ofNullable(thrown.getMessage()).or(() -> Optional.ofNullable(root).map(Throwable::getMessage)).orElse(thrown.toString());
        // Then follow advice on SQL, the query, the plan or a trace.
        String line = CODE.matcher(said.strip().lines().findFirst().orElse("")).replaceAll("").replaceFirst("\\.?;? *(\\(?line)", ", $1").replaceFirst(";$", "").strip();
        return StringUtils.abbreviate(line, MAX_REASON);
    }
}
