// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.lineage;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.potstill.spark.Plans;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.evaluate.MixtureEvaluateSummary;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.label.MixtureLabelSummary;
import org.potstill.spark.prune.PruneSummary;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.train.TrainSummary;
import org.potstill.spark.write.WriteSummary;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells listeners such as OpenLineage's what a job has read and written. They look at the plans of Spark's queries, whereas jobs read and write
 * most files on their own: after the job, a write that does nothing ({@link NothingSource}) has the plan that they understand.
 */
public final class Lineage {
    private static final Logger LOG = LoggerFactory.getLogger(Lineage.class);
    private static final Pattern LISTENERS = Pattern.compile("(?i).*(lineage|spline|datahub).*");

    private final SparkSession spark;
    private final Settings settings;
    private final List<Dataset<Row>> inputs = new ArrayList<>();

    private Lineage(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.settings = settings;
    }

    /**
     * Tells what a job has read and written, if somebody listens. Never fails.
     *
     * @param summary what the report shows of the job
     */
    public static void tell(SparkSession spark, Settings settings, Object summary) {
        String listeners = spark.sparkContext().getConf().get("spark.extraListeners", "") + "," + spark.sparkContext().getConf().get("spark.sql.queryExecutionListeners", "");
        if (LISTENERS.matcher(listeners).matches()) {
            new Lineage(spark, settings).tell(summary);
        }
    }

    private void tell(Object summary) {
        if (summary instanceof LabelSummary label) {
            add(this::corpus);
            add("teacher.path");
            write(label.cache());
        } else if (summary instanceof MixtureLabelSummary mixture) {
            mixture.teachers().forEach((name, label) -> tell(spark, settings.ofTeacher(name), label));
        } else if (summary instanceof TrainSummary train) {
            add("cache.path");
            add("student.init");
            write(train.student());
        } else if (summary instanceof EvaluateSummary || summary instanceof MixtureEvaluateSummary) {
            add(this::corpus);
            add("teacher.path");
            add("student.path");
            write(new Report(settings, spark.sparkContext().hadoopConfiguration()).folder());
        } else if (summary instanceof PruneSummary prune) {
            add(this::corpus);
            add(settings.string("prune.model").isBlank() ? "teacher.path" : "prune.model");
            write(prune.path());
        } else if (summary instanceof WriteSummary write) {
            add(this::corpus);
            add("teacher.path");
            write(write.path());
        }
    }

    private Dataset<Row> corpus() {
        return new Corpus(spark, settings).plan();
    }

    private void add(String setting) {
        if (!settings.string(setting).isBlank()) {
            add(() -> Plans.files(spark, settings.string(setting)));
        }
    }

    private void add(Supplier<Dataset<Row>> input) {
        try {
            inputs.add(input.get().select(functions.lit(0).as("nothing")));
        } catch (Exception | AssertionError e) {
            // Spark throws checked exceptions that it does not declare, and assertions. Whatever it is, the job has done its work.
            LOG.warn("lineage lacks an input: {}", e.toString());
        }
    }

    private void write(String path) {
        try {
            inputs.stream().reduce(Dataset::union).ifPresent(all ->
                    all.write().format(NothingSource.class.getName()).mode(SaveMode.Append).option("path", path).save());
        } catch (Exception | AssertionError e) {
            LOG.warn("lineage lacks the output {}: {}", path, e.toString());
        }
    }
}
