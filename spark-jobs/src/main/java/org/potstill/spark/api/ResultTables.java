// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.api;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.errors.ApiErrors;
import org.potstill.spark.evaluate.Estimate;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.evaluate.MixtureEvaluateSummary;
import org.potstill.spark.evaluate.ModelScore;
import org.potstill.spark.evaluate.TextScore;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.label.MixtureLabelSummary;
import org.potstill.spark.sql.LabelRows;
import org.potstill.spark.train.TrainSummary;
import org.potstill.student.loss.StepLoss;

/** The results of jobs as DataFrames. */
final class ResultTables {
    private static final int MAX_PROMPTS = 1000;
    private static final String PROMPT = "prompt";
    private static final StructType STEPS = new StructType()
            .add("step", DataTypes.IntegerType, false).add("loss", DataTypes.DoubleType, false).add("kl", DataTypes.DoubleType, false)
            .add("cross_entropy", DataTypes.DoubleType, false).add("positions", DataTypes.LongType, false);
    private static final Map<String, Function<ModelScore, Estimate>> SCORES = scores();

    private ResultTables() {
    }

    private static Map<String, Function<ModelScore, Estimate>> scores() {
        Map<String, Function<ModelScore, Estimate>> scores = new LinkedHashMap<>();
        scores.put("perplexity", ModelScore::perplexity);
        scores.put("accuracy", ModelScore::accuracy);
        scores.put("agreement", ModelScore::agreement);
        scores.put("agreement_in_five", ModelScore::agreementInFive);
        scores.put("kl", ModelScore::kl);
        scores.put("calibration_error", ModelScore::calibrationError);
        return scores;
    }

    /** The labels of the corpus of a label run. */
    static Dataset<Row> labels(SparkSession spark, Object summary) {
        Collection<LabelSummary> passes = summary instanceof MixtureLabelSummary mixture ? mixture.teachers().values() : List.of((LabelSummary) summary);
        return passes.stream().map(pass -> new LabelRows(spark, store(spark, pass)).ofCorpus()).reduce(Dataset::union).orElseThrow();
    }

    private static LabelStore store(SparkSession spark, LabelSummary pass) {
        Path folder = new Path(pass.cache());
        return LabelStores.open(spark, folder.getParent().getParent().toString(), folder.getParent().getName() + "/" + folder.getName());
    }

    static Dataset<Row> steps(SparkSession spark, TrainSummary summary) {
        List<Row> rows = new ArrayList<>();
        for (StepLoss step : summary.history()) {
            rows.add(RowFactory.create(rows.size() + 1, step.total(), step.kl(), step.crossEntropy(), step.positions()));
        }
        return spark.createDataFrame(rows, STEPS);
    }

    static Dataset<Row> scores(SparkSession spark, Object summary) {
        StructType type = new StructType().add("teacher", DataTypes.StringType, false).add("text", DataTypes.StringType, false)
                .add("model", DataTypes.StringType, false).add("documents", DataTypes.IntegerType, false).add("positions", DataTypes.LongType, false);
        for (String score : SCORES.keySet()) {
            type = type.add(score, DataTypes.DoubleType, false);
        }
        List<Row> rows = new ArrayList<>();
        if (summary instanceof MixtureEvaluateSummary mixture) {
            mixture.teachers().forEach((name, one) -> add(rows, name, one));
        } else {
            add(rows, "", (EvaluateSummary) summary);
        }
        return spark.createDataFrame(rows, type);
    }

    private static void add(List<Row> rows, String teacher, EvaluateSummary evaluate) {
        add(rows, teacher, "held-out documents", evaluate.heldOut());
        evaluate.corpora().forEach((name, score) -> add(rows, teacher, name, score));
    }

    private static void add(List<Row> rows, String teacher, String text, TextScore scored) {
        Map<String, ModelScore> models = new LinkedHashMap<>();
        models.put("teacher", scored.teacher());
        models.put("student", scored.student());
        models.put("bigram", scored.bigram());
        models.put("unigram", scored.unigram());
        models.forEach((model, score) -> {
            if (score != null) {
                List<Object> values = new ArrayList<>(List.of(teacher, text, model, scored.documents(), scored.positions()));
                SCORES.values().forEach(of -> values.add(of.apply(score).value()));
                rows.add(RowFactory.create(values.toArray()));
            }
        });
    }

    /** Continues the prompts, in their order. */
    static Dataset<Row> continued(SparkSession spark, Dataset<Row> prompts, Generation generation) {
        StructType type = prompts.schema();
        int column = Arrays.asList(type.fieldNames()).indexOf(PROMPT);
        if (column < 0 || !type.fields()[column].dataType().equals(DataTypes.StringType)) {
            throw ApiErrors.noPrompts(String.join(", ", type.fieldNames()));
        }
        List<Row> asked = prompts.takeAsList(MAX_PROMPTS + 1);
        if (asked.size() > MAX_PROMPTS) {
            throw ApiErrors.tooManyPrompts(MAX_PROMPTS);
        }
        List<Row> answered = new ArrayList<>();
        try (Generation.OpenModel model = generation.open(spark.sparkContext().hadoopConfiguration())) {
            for (Row row : asked) {
                Object[] values = new Object[row.size() + 1];
                for (int i = 0; i < row.size(); i++) {
                    values[i] = row.get(i);
                }
                if (!row.isNullAt(column)) {
                    StringBuilder text = new StringBuilder();
                    model.write(row.getString(column), text::append);
                    values[row.size()] = text.toString();
                }
                answered.add(RowFactory.create(values));
            }
        }
        return spark.createDataFrame(answered, type.add("text", DataTypes.StringType, true));
    }
}
