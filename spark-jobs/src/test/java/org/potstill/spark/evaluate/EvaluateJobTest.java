package org.potstill.spark.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.checkpoints.GgufWriter;
import org.potstill.checkpoints.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.train.TrainJob;

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

    private EvaluateSummary evaluate(String... overrides) {
        return new EvaluateJob(Distillery.spark(), distillery.settings(overrides)).run();
    }

    @Test
    void theTrainedStudentIsNearerToItsTeacherThanTheUntrainedOnDocumentsItNeverSaw() {
        EvaluateSummary summary = evaluate();
        assertTrue(summary.documents() > 0 && summary.positions() > 100);
        assertEquals(0, summary.teacher().kl());
        assertEquals(1, summary.teacher().agreement());
        assertTrue(summary.student().kl() < 0.9 * summary.untrained().kl(), summary.toString());
        assertTrue(summary.teacher().tokensPerSecond() > 0 && summary.student().tokensPerSecond() > 0);
        assertEquals(summary.student().parameters(), summary.untrained().parameters());
    }

    @Test
    void theNumberOfTokensIsBounded() {
        long all = evaluate().positions();
        long some = evaluate("evaluate.max-tokens=40").positions();
        assertTrue(some >= 40 && some < 40 + 32 && some < all, some + " of " + all);
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
        EvaluateSummary all = evaluate("corpus.path=" + odd);
        Path other = folder.resolve("overflows.gguf");
        overflowingAtZ().write(other);
        EvaluateSummary some = evaluate("corpus.path=" + odd, "teacher.path=" + other);
        assertTrue(some.positions() > 0 && some.positions() < all.positions(), some.positions() + " of " + all.positions());
        assertTrue(Double.isFinite(some.teacher().perplexity()) && Double.isFinite(some.student().kl()), some.toString());

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
    void aStudentThatIsNotThereIsRefused() {
        assertTrue(assertThrows(UserException.class, () -> evaluate("student.path=" + folder.resolve("none")))
                .remedy().contains("potstill train"));
    }
}
