// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.tracking;

import java.util.Map;
import java.util.TreeMap;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.evaluate.MixtureEvaluateSummary;
import org.potstill.spark.evaluate.ModelScore;
import org.potstill.spark.evaluate.TaskScore;
import org.potstill.spark.evaluate.TextScore;
import org.potstill.spark.hardware.Cost;
import org.potstill.spark.hardware.DeviceShare;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.label.MixtureLabelSummary;
import org.potstill.spark.prune.PruneSummary;
import org.potstill.spark.train.TrainSummary;
import org.potstill.spark.train.TrainedRound;
import org.potstill.spark.write.WriteSummary;

/** The figures of a job as MLflow's metrics: a number for each name. */
final class RunFigures {
    private final Map<String, Double> values = new TreeMap<>();

    private RunFigures() {
    }

    /** Returns the figures of a job's result; none for a job without any. */
    static Map<String, Double> of(Object summary) {
        RunFigures figures = new RunFigures();
        if (summary instanceof LabelSummary label) {
            figures.add("", label);
        } else if (summary instanceof MixtureLabelSummary mixture) {
            mixture.teachers().forEach((name, label) -> figures.add(name + "/", label));
        } else if (summary instanceof TrainSummary train) {
            figures.add(train);
        } else if (summary instanceof EvaluateSummary evaluate) {
            figures.add("", evaluate);
        } else if (summary instanceof MixtureEvaluateSummary mixture) {
            figures.put("student/kl", mixture.kl());
            figures.put("student/agreement", mixture.agreement());
            mixture.teachers().forEach((name, evaluate) -> figures.add(name + "/", evaluate));
        } else if (summary instanceof PruneSummary prune) {
            figures.put("kl", prune.kl());
            figures.put("parameters", prune.after().parameters());
            figures.put("layers", prune.after().layers());
            figures.put("seconds", prune.seconds());
        } else if (summary instanceof WriteSummary write) {
            figures.put("answers_written", write.written());
            figures.put("answers_empty", write.empty());
            figures.put("answers_truncated", write.truncated());
            figures.put("conversations", write.conversations());
            figures.put("tokens_written", write.newTokens());
            figures.put("tokens_per_second", write.newTokens() / write.writing());
            figures.put("quarantined_prompts", write.unwritten());
        }
        return figures.values;
    }

    static Map<String, Double> of(TrainedRound round) {
        RunFigures figures = new RunFigures();
        figures.put("loss", round.loss().total());
        figures.put("kl", round.loss().kl());
        figures.put("cross_entropy", round.loss().crossEntropy());
        figures.put("learning_rate", round.learningRate());
        figures.put("gradient_norm", round.gradientNorm());
        figures.put("tokens_per_second", round.tokensPerSecond());
        figures.put("waited_share", round.waitedShare());
        if (round.flopsShare() != null) {
            figures.put("model_flops_share", round.flopsShare());
        }
        figures.putPositive("exchanged_bytes", round.exchangedBytes());
        figures.putPositive("late_workers", round.late());
        return figures.values;
    }

    private void add(String prefix, LabelSummary label) {
        put(prefix + "tokens_scored", label.scoredTokens());
        put(prefix + "tokens_reused", Math.max(0, label.corpus().positions() - label.scoredTokens()));
        put(prefix + "quarantined_documents", label.corpus().unusable());
        put(prefix + "quarantined_sequences", label.corpus().unscored());
        put(prefix + "held_out_documents", label.corpus().heldOut());
        put(prefix + "seconds", label.seconds());
        if (label.scoredTokens() > 0) {
            put(prefix + "tokens_per_second", label.scoredTokens() / label.seconds());
            put(prefix + "teacher_entropy", label.teacherEntropy());
            put(prefix + "teacher_loss", label.teacherLoss());
            put(prefix + "cache_bytes_written", label.bytes());
        }
        if (label.precision() != null) {
            put(prefix + "precision_kl", label.precision().kl());
        }
        add(prefix + "model_flops_share", label.hardware());
        add(prefix + "cost_per_million_tokens", label.cost());
    }

    private void add(TrainSummary train) {
        put("parameters", train.parameters());
        put("rounds", train.rounds());
        put("tokens", train.positions());
        put("seconds", train.seconds());
        put("teacher_loss", train.teacherLoss());
        if (train.exchange() != null) {
            put("mean_waited_share", train.exchange().waitedShare());
            putPositive("mean_exchanged_bytes", train.exchange().bytes());
            putPositive("mean_exchanged_bytes_per_parameter", train.exchange().bytesPerParameter());
        }
        add("mean_model_flops_share", train.hardware());
        add("cost_per_million_tokens", train.cost());
    }

    private void add(String name, DeviceShare hardware) {
        if (hardware != null && hardware.share() != null) {
            put(name, hardware.share());
        }
    }

    private void add(String name, Cost cost) {
        if (cost != null) {
            put(name, cost.perMillionTokens());
        }
    }

    /** Adds a figure that is 0 where there is nothing to measure. */
    private void putPositive(String name, Number value) {
        if (value.doubleValue() > 0) {
            put(name, value);
        }
    }

    private void add(String prefix, EvaluateSummary evaluate) {
        add(prefix, evaluate.heldOut());
        evaluate.corpora().forEach((name, text) -> add(prefix + name + "/", text));
        evaluate.tasks().forEach((name, task) -> {
            add(prefix + name + "/teacher/", task.teacher());
            add(prefix + name + "/student/", task.student());
        });
        put(prefix + "seconds", evaluate.seconds().total());
    }

    private void add(String prefix, TextScore text) {
        put(prefix + "tokens", text.positions());
        add(prefix + "teacher/", text.teacher());
        add(prefix + "student/", text.student());
    }

    private void add(String prefix, ModelScore score) {
        put(prefix + "perplexity", score.perplexity().value());
        put(prefix + "accuracy", score.accuracy().value());
        put(prefix + "agreement", score.agreement().value());
        put(prefix + "kl", score.kl().value());
        put(prefix + "calibration_error", score.calibrationError().value());
    }

    private void add(String prefix, TaskScore.Answers answers) {
        put(prefix + "accuracy", answers.accuracy());
        put(prefix + "normalised_accuracy", answers.normalisedAccuracy());
    }

    private void put(String name, Number value) {
        if (Double.isFinite(value.doubleValue())) {
            values.put(name, value.doubleValue());
        }
    }
}
