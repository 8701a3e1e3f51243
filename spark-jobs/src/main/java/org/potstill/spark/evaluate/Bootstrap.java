// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.ToDoubleBiFunction;
import org.potstill.spark.metrics.Comparison;

/**
 * Scores of models on a text with 95 % intervals by the percentile bootstrap over documents (Efron and Tibshirani 1993, chapter
 * 13): tokens of one document are not independent, so whole documents are drawn with replacement. All models and the
 * teacher share each draw, so intervals of ratios are paired.
 */
final class Bootstrap {
    /** Figures of a model; the second argument is the teacher. */
    private static final List<ToDoubleBiFunction<Comparison, Comparison>> FIGURES = List.of(
            (model, teacher) -> model.perplexity(),
            (model, teacher) -> model.perplexity() / teacher.perplexity(),
            (model, teacher) -> share(model.correct(), model),
            (model, teacher) -> teacher.correct() == 0 ? Double.NaN : (double) model.correct() / teacher.correct(),
            (model, teacher) -> share(model.agreed(), model),
            (model, teacher) -> share(model.agreedInFive(), model),
            (model, teacher) -> model.kl() / model.positions(),
            (model, teacher) -> model.calibration().error());

    private final List<List<Comparison>> documents;
    private final int models;

    /** @param documents for each document, sums per model, the teacher's first */
    Bootstrap(List<List<Comparison>> documents) {
        this.documents = documents;
        this.models = documents.get(0).size();
    }

    private static double share(long count, Comparison model) {
        return (double) count / model.positions();
    }

    /** Returns one score per model, the teacher's first. */
    List<ModelScore> scores(int resamples, long seed) {
        double[][] values = figures(documents);
        double[][][] drawn = new double[models][FIGURES.size()][resamples];
        if (documents.size() > 1) {
            Random random = new Random(seed);
            for (int r = 0; r < resamples; r++) {
                List<List<Comparison>> sample = new ArrayList<>();
                for (int i = 0; i < documents.size(); i++) {
                    sample.add(documents.get(random.nextInt(documents.size())));
                }
                double[][] figures = figures(sample);
                for (int m = 0; m < models; m++) {
                    for (int f = 0; f < FIGURES.size(); f++) {
                        drawn[m][f][r] = figures[m][f];
                    }
                }
            }
        }
        List<ModelScore> scores = new ArrayList<>();
        for (int m = 0; m < models; m++) {
            Estimate[] e = new Estimate[FIGURES.size()];
            for (int f = 0; f < e.length; f++) {
                e[f] = documents.size() == 1 ? new Estimate(values[m][f], null, null) : interval(values[m][f], drawn[m][f]);
            }
            scores.add(new ModelScore(e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7]));
        }
        return scores;
    }

    private static Estimate interval(double value, double[] drawn) {
        Arrays.sort(drawn);
        int last = drawn.length - 1;
        return new Estimate(value, drawn[(int) Math.floor(0.025 * last)], drawn[(int) Math.ceil(0.975 * last)]);
    }

    private double[][] figures(List<List<Comparison>> sample) {
        double[][] figures = new double[models][FIGURES.size()];
        Comparison teacher = null;
        for (int m = 0; m < models; m++) {
            Comparison sum = Comparison.NONE;
            for (List<Comparison> document : sample) {
                sum = sum.plus(document.get(m));
            }
            teacher = m == 0 ? sum : teacher;
            for (int f = 0; f < FIGURES.size(); f++) {
                figures[m][f] = FIGURES.get(f).applyAsDouble(sum, teacher);
            }
        }
        return figures;
    }
}
