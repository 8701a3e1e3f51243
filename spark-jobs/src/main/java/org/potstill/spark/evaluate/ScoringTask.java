// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.metrics.Comparison;
import org.potstill.spark.metrics.DistributionComparer;
import org.potstill.student.LogitComparison.Logits;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.Batches;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;

/**
 * Scoring on one executor, with all its cores; both models are loaded for the task and freed afterwards.
 *
 * @param vocabSize   number of ids in compared distributions: those of the tokenizer for which both models have a row
 * @param batchTokens padded positions per pass over choices
 * @param ngrams      n-grams of the training documents; null if not counted
 */
record ScoringTask(EvaluatedModel teacher, EvaluatedModel student, int vocabSize, int threads, int batchTokens,
        Broadcast<NgramModel> ngrams, Broadcast<SerializableConfiguration> hadoop, LongAccumulator done) implements Serializable {
    /**
     * Sums over the passages of a document.
     *
     * @param models the teacher, the student and, if counted, unigrams and bigrams
     */
    record DocumentScore(int text, String document, List<Comparison> models) implements Serializable {
        DocumentScore plus(DocumentScore other) {
            List<Comparison> sums = new ArrayList<>();
            for (int m = 0; m < models.size(); m++) {
                sums.add(models.get(m).plus(other.models.get(m)));
            }
            return new DocumentScore(text, document, sums);
        }
    }

    /** Log-likelihoods of a question's choices, in nats, by each model. */
    record QuestionScore(int task, int index, double[] teacher, double[] student) implements Serializable {
    }

    /**
     * Scores by one executor.
     *
     * @param overTeacher passages left out because the teacher's logits are not finite
     * @param overStudent passages left out because the student's are not
     * @param seconds     time spent in the teacher, in the student and in comparisons
     */
    record Scores(List<DocumentScore> documents, List<QuestionScore> questions, int overTeacher, int overStudent, double[] seconds)
            implements Serializable {
    }

    Scores score(Iterator<Work> work) {
        List<Passage> passages = new ArrayList<>();
        List<Question> questions = new ArrayList<>();
        while (work.hasNext()) {
            Work next = work.next();
            if (next instanceof Passage passage) {
                passages.add(passage);
            } else {
                questions.add((Question) next);
            }
        }
        Configuration conf = hadoop.value().value();
        try (StudentScratch scratch = new StudentScratch(student)) {
            return new Run(conf, scratch.student()).score(passages, questions);
        }
    }

    private final class Run {
        private final Configuration conf;
        private final EvaluatedModel student;
        private final double[] seconds = new double[3];

        Run(Configuration conf, EvaluatedModel student) {
            this.conf = conf;
            this.student = student;
        }

        Scores score(List<Passage> passages, List<Question> questions) {
            if (passages.isEmpty() && questions.isEmpty()) {
                return new Scores(List.of(), List.of(), 0, 0, seconds);
            }
            try (CausalLm teacherModel = teacher.open(conf); CausalLm studentModel = student.open(conf);
                    Teacher reference = Teachers.open(teacherModel, teacher.options(threads));
                    Teacher learnt = Teachers.open(studentModel, student.options(threads))) {
                Map<String, DocumentScore> documents = new LinkedHashMap<>();
                int[] left = compare(passages, reference, learnt, documents);
                double[][] byTeacher = likelihoods(questions, reference, teacherModel.maxPositionEmbeddings(), 0);
                double[][] byStudent = likelihoods(questions, learnt, studentModel.maxPositionEmbeddings(), 1);
                List<QuestionScore> answers = new ArrayList<>();
                for (int q = 0; q < questions.size(); q++) {
                    answers.add(new QuestionScore(questions.get(q).task(), questions.get(q).index(), byTeacher[q], byStudent[q]));
                }
                return new Scores(new ArrayList<>(documents.values()), answers, left[0], left[1], seconds);
            }
        }

        /** Scores passages; returns how many were left out because of the teacher, and because of the student. */
        private int[] compare(List<Passage> passages, Teacher reference, Teacher learnt, Map<String, DocumentScore> documents) {
            int[] left = new int[2];
            try (DistributionComparer comparer = new DistributionComparer(vocabSize, threads)) {
                for (Passage passage : passages) {
                    int[] tokens = passage.tokens();
                    int[] inputs = Arrays.copyOf(tokens, tokens.length - 1);
                    long begin = System.nanoTime();
                    Logits expected = comparer.logits(reference.logits(inputs), reference.vocabSize());
                    long between = System.nanoTime();
                    List<Logits> models = new ArrayList<>(List.of(expected, comparer.logits(learnt.logits(inputs), learnt.vocabSize())));
                    long after = System.nanoTime();
                    if (ngrams != null) {
                        models.add(ngrams.value().unigram());
                        models.add(ngrams.value().bigram(tokens));
                    }
                    List<Comparison> compared = comparer.compare(expected, models, tokens, passage.counted());
                    seconds[0] += (between - begin) / 1e9;
                    seconds[1] += (after - between) / 1e9;
                    seconds[2] += (System.nanoTime() - after) / 1e9;
                    done.add(inputs.length);
                    if (!compared.get(0).isFinite()) {
                        left[0]++;
                    } else if (!compared.get(1).isFinite()) {
                        left[1]++;
                    } else {
                        documents.merge(passage.text() + "\n" + passage.document(),
                                new DocumentScore(passage.text(), passage.document(), compared), DocumentScore::plus);
                    }
                }
            }
            return left;
        }

        /** Returns log-likelihoods by question and choice. */
        private double[][] likelihoods(List<Question> questions, Teacher model, int maxPositions, int which) {
            List<Question.Choice> choices = new ArrayList<>();
            questions.forEach(question -> question.choices().forEach(choice -> choices.add(choice.fit(maxPositions))));
            double[] flat = new double[choices.size()];
            int[] lengths = choices.stream().mapToInt(choice -> choice.tokens().length).toArray();
            long begin = System.nanoTime();
            for (int[] batch : Batches.plan(lengths, maxPositions, batchTokens)) {
                List<ScoredSequence> scored = model.score(Arrays.stream(batch).mapToObj(i -> choices.get(i).tokens()).toList(), TargetSpec.topK(1));
                for (int i = 0; i < batch.length; i++) {
                    flat[batch[i]] = likelihood(scored.get(i), choices.get(batch[i]).length());
                    done.add(which == 0 ? lengths[batch[i]] - 1 : 0);
                }
            }
            seconds[which] += (System.nanoTime() - begin) / 1e9;
            double[][] byQuestion = new double[questions.size()][];
            int at = 0;
            for (int q = 0; q < byQuestion.length; q++) {
                byQuestion[q] = Arrays.copyOfRange(flat, at, at += questions.get(q).choices().size());
            }
            return byQuestion;
        }

        private static double likelihood(ScoredSequence scored, int length) {
            if (scored.problem() != null) {
                return Double.NaN;
            }
            float[] all = scored.tokenLogProbabilities();
            double sum = 0;
            for (int t = all.length - length; t < all.length; t++) {
                sum += all[t];
            }
            return sum;
        }
    }
}
