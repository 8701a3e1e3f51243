// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.gguf.GgufWriter;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.train.TrainJob;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingOptions;
import org.potstill.teacher.Teachers;

class EvaluateJobTest {
    private static final CausalLmConfig UNTIED = new CausalLmConfig(320, 64, 128, 2, 4, 2, 16, 256, 1e-5f, 10_000f, false);

    @TempDir
    private static Path folder;
    private static Distillery distillery;

    @BeforeAll
    static void distil() {
        distillery = new Distillery(folder);
        new LabelJob(Distillery.spark(), distillery.settings()).run();
        // A random teacher contradicts the text: this student listens to the teacher alone.
        new TrainJob(Distillery.spark(), distillery.settings("train.epochs=6", "train.alpha=1")).run();
    }

    /** Without speed, which needs processes of its own. */
    private EvaluateSummary evaluate(String... overrides) {
        List<String> all = new ArrayList<>(List.of("evaluate.speed-tokens=0"));
        all.addAll(List.of(overrides));
        return new EvaluateJob(Distillery.spark(), distillery.settings(all.toArray(String[]::new))).run();
    }

    @Test
    void theStudentIsNearerToItsTeacherThanCountsOfTheTrainingDocumentsAre() {
        TextScore score = evaluate().heldOut();
        assertEquals(heldOut().size(), score.documents());
        assertEquals(0, score.teacher().kl().value());
        assertEquals(1, score.teacher().agreement().value());
        assertEquals(1, score.teacher().perplexityRatio().value());
        assertTrue(score.student().kl().value() < 0.9 * score.unigram().kl().value(), score.toString());
        assertEquals(score.student().perplexity().value() / score.teacher().perplexity().value(), score.student().perplexityRatio().value(), 1e-9);
        for (ModelScore model : List.of(score.teacher(), score.student(), score.unigram(), score.bigram())) {
            assertTrue(model.kl().low() <= model.kl().value() && model.kl().value() <= model.kl().high(), model.toString());
            assertTrue(model.agreement().value() <= model.agreementInFive().value());
        }
        assertTrue(score.bigram().perplexity().value() < score.unigram().perplexity().value(), "words of one letter follow certain others");
    }

    @Test
    void scoresAreThoseOfTheStudentsOwnDecoderOverTheTokenizersIds() throws Exception {
        TextScore score = evaluate("evaluate.max-tokens=100000").heldOut();
        double loss = 0;
        long positions = 0;
        try (CausalLm teacher = Teachers.model(distillery.teacher()); Tokenizer tokenizer = new Tokenizer(teacher.tokenizer());
                Student student = Student.load(distillery.path("student"), TrainingOptions.NONE)) {
            int ids = teacher.tokenizer().idCount();
            Tokenization tokenization = Tokenization.of(distillery.settings());
            for (String text : heldOut()) {
                for (int[] tokens : tokenization.cut(tokenizer.encode(text))) {
                    float[] logits = student.logits(Arrays.copyOf(tokens, tokens.length - 1));
                    int vocab = logits.length / (tokens.length - 1);
                    assertTrue(ids < vocab, "rows beyond the tokenizer's ids");
                    for (int t = 0; t < tokens.length - 1; t++) {
                        double sum = 0;
                        for (int v = 0; v < ids; v++) {
                            sum += Math.exp(logits[t * vocab + v]);
                        }
                        loss += Math.log(sum) - logits[t * vocab + tokens[t + 1]];
                        positions++;
                    }
                }
            }
        }
        assertEquals(positions, score.positions());
        assertEquals(Math.exp(loss / positions), score.student().perplexity().value(), 1e-3);
    }

    private static List<String> heldOut() {
        Tokenization tokenization = Tokenization.of(distillery.settings());
        return IntStream.range(0, 12).mapToObj(i -> Distillery.text(i, 120)).filter(tokenization::heldOut).toList();
    }

    @Test
    void theNumberOfTokensIsBoundedAndDrawnFromEveryDocument() {
        long all = evaluate().heldOut().positions();
        int limit = 32 * heldOut().size();
        TextScore some = evaluate("evaluate.max-tokens=" + limit).heldOut();
        assertTrue(some.positions() >= limit && some.positions() < limit + 32 && some.positions() < all, some.positions() + " of " + all);
        assertEquals(heldOut().size(), some.documents());
    }

    @Test
    void theSameSettingsGiveTheSameScoresAndIntervals() {
        assertEquals(evaluate("evaluate.max-tokens=200").heldOut(), evaluate("evaluate.max-tokens=200").heldOut());
    }

    @Test
    void furtherTextsAreScoredByName() {
        Path other = folder.resolve("further");
        Distillery.write(other.resolve("a.txt"), "zzz qqq xxx ".repeat(40));
        EvaluateSummary summary = evaluate("evaluate.corpora.strange=" + other, "evaluate.ngrams=false");
        assertEquals(Set.of("strange"), summary.corpora().keySet());
        assertEquals(1, summary.corpora().get("strange").documents());
        assertNull(summary.corpora().get("strange").student().kl().low(), "one document has no interval");
        assertNull(summary.heldOut().bigram());
        UserException empty = assertThrows(UserException.class, () -> evaluate("evaluate.corpora.none=" + folder.resolve("nowhere")));
        assertTrue(empty.problem().contains("nowhere") && empty.remedy().contains("evaluate.corpora.none"), empty.toString());
    }

    @Test
    void bothModelsAreServedInSeparateProcessesAndContinueTheSameBeginnings() {
        EvaluateSummary summary = evaluate("evaluate.speed-tokens=64", "evaluate.speed-repeats=3", "evaluate.texts=2", "evaluate.text-tokens=5");
        assertEquals(List.of(), summary.notes());
        ServingSummary serving = summary.serving();
        assertEquals(64, serving.passTokens());
        assertEquals(2, serving.texts().size());
        for (ServingSummary.ServedFigures served : List.of(serving.teacher(), serving.student())) {
            assertEquals("ONNX Runtime, cpu, fp32", served.engine());
            assertEquals(3, served.tokensPerSecond().repeats());
            assertEquals(2, served.millisecondsPerToken().repeats());
            assertTrue(served.tokensPerSecond().low() > 0 && served.tokensPerSecond().low() <= served.tokensPerSecond().median());
            assertTrue(served.passPeakBytes() > 20_000_000 && served.generationPeakBytes() > 20_000_000, served.toString());
        }
        assertTrue(summary.student().stored().equals("F32") && summary.student().bytes() >= 4 * summary.student().parameters());
    }

    @Test
    void theStudentsScratchFilesAreDeletedAfterTheRun() {
        evaluate();
        String[] left = folder.resolve("scratch").toFile().list((parent, name) -> name.startsWith("potstill-"));
        assertEquals(0, left.length, String.join(", ", left));
    }

    @Test
    void anotherDrawOfHeldOutDocumentsIsRefused() {
        assertTrue(assertThrows(UserException.class, () -> evaluate("corpus.holdout=0.5")).problem().contains("corpus.holdout"));
        assertTrue(assertThrows(UserException.class, () -> evaluate("seed=1")).problem().contains("seed"));
    }

    @Test
    void aTeacherWithAnotherTokenizerIsRefused() {
        Path other = folder.resolve("other.gguf");
        TinyLlama.gguf(7, TinyLlama.config()).put("tokenizer.ggml.add_bos_token", true).write(other);
        assertTrue(assertThrows(UserException.class, () -> evaluate("teacher.path=" + other)).problem().contains("vocabularies"));
    }

    @Test
    void sequencesOverWhichTheTeacherOverflowsAreLeftOut() {
        Path odd = folder.resolve("odd");
        for (int i = 0; i < 40; i++) {
            Distillery.write(odd.resolve(i + ".txt"), Distillery.text(i, 5) + (i % 2 == 0 ? "Z" : "Y") + Distillery.text(i, 5));
        }
        TextScore all = evaluate("corpus.path=" + odd).heldOut();
        Path other = folder.resolve("overflows.gguf");
        overflowingAtZ().write(other);
        EvaluateSummary left = evaluate("corpus.path=" + odd, "teacher.path=" + other);
        TextScore some = left.heldOut();
        assertTrue(some.positions() > 0 && some.positions() < all.positions(), some.positions() + " of " + all.positions());
        assertTrue(Double.isFinite(some.teacher().perplexity().value()) && Double.isFinite(some.student().kl().value()), some.toString());
        assertTrue(left.notes().get(0).contains("because the teacher's logits are not finite"), left.notes().toString());

        float[] gain = new float[64];
        Arrays.fill(gain, Float.NaN);
        TinyLlama.gguf(7, UNTIED).tensor("output_norm.weight", new long[] {64}, gain).write(other);
        assertTrue(assertThrows(UserException.class, () -> evaluate("corpus.path=" + odd, "teacher.path=" + other))
                .problem().contains("no finite probabilities"));
    }

    /** A teacher whose embedding of one letter, Z, is not a number. */
    private static GgufWriter overflowingAtZ() {
        float[] table = new float[320 * 64];
        Random random = new Random(1);
        for (int i = 0; i < table.length; i++) {
            table[i] = (float) (0.3 * random.nextGaussian());
        }
        // TinyLlama's ids are the bytes, one higher.
        Arrays.fill(table, ('Z' + 1) * 64, ('Z' + 2) * 64, Float.NaN);
        return TinyLlama.gguf(7, UNTIED).tensor("token_embd.weight", new long[] {320, 64}, table);
    }

    @Test
    void aMissingStudentIsRefused() {
        assertTrue(assertThrows(UserException.class, () -> evaluate("student.path=" + folder.resolve("none")))
                .remedy().contains("potstill train"));
    }
}
