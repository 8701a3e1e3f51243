// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.errors;

import java.util.Map;
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
    private static final Pattern MISSING_CLASS = Pattern.compile("(?s).*(DATA_SOURCE_NOT_FOUND|Failed to find (the )?data source|[Cc]annot find catalog plugin class|Unable to load class|"
            + "ClassNotFoundException|NoClassDefFoundError|Avro is built-in but external).*");
    private static final Map<Pattern, String> REMEDIES = Map.of(
            Pattern.compile("(?s).*(TABLE_OR_VIEW_NOT_FOUND|SCHEMA_NOT_FOUND|[Tt]able or view not found|REQUIRES_SINGLE_PART_NAMESPACE).*"),
            "check the name; Spark knows a catalog by spark.sql.catalog.NAME, and Hive's tables with spark.sql.catalogImplementation = hive and a "
                    + "hive-site.xml on its class path",
            Pattern.compile("(?s).*(NOT_SUPPORTED_COMMAND_WITHOUT_HIVE_SUPPORT|Hive support is required|Unable to instantiate SparkSession with Hive).*"),
            "set spark.sql.catalogImplementation = hive, with a Spark that was built with Hive",
            Pattern.compile("(?s).*DELTA_CONFIGURE_SPARK_SESSION.*"),
            "set spark.sql.extensions = io.delta.sql.DeltaSparkSessionExtension and spark.sql.catalog.spark_catalog = "
                    + "org.apache.spark.sql.delta.catalog.DeltaCatalog");

    private TableErrors() {
    }

    /**
     * Explains why Spark cannot read a corpus.
     *
     * @param corpus  its name
     * @param setting the one that says where it is
     */
    public static UserException unreadable(String corpus, String setting, Throwable thrown) {
        String all = ExceptionUtils.getThrowableList(thrown).stream().map(Throwable::toString).reduce("", (one, other) -> one + "\n" + other);
        String remedy = MISSING_CLASS.matcher(all).matches()
                ? "check " + setting + "; if it is right, give spark-submit the jar that has it, such as with --packages io.delta:delta-spark_"
                        + Versions.scala() + ":VERSION, made for this Spark"
                : REMEDIES.entrySet().stream().filter(known -> known.getKey().matcher(all).matches()).map(Map.Entry::getValue).findFirst()
                        .map(known -> known.startsWith("check") ? "in " + setting + " " + known : known).orElse("check " + setting + " (and corpus.where, if it is set)");
        return new UserException("cannot read the corpus: " + corpus, reason(thrown), remedy, thrown);
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
