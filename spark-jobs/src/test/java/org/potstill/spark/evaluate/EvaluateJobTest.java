package org.potstill.spark.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.train.TrainJob;

class EvaluateJobTest {
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
    void aStudentThatIsNotThereIsRefused() {
        assertTrue(assertThrows(UserException.class, () -> evaluate("student.path=" + folder.resolve("none")))
                .remedy().contains("potstill train"));
    }
}
