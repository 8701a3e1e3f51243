// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.potstill.spark.metrics.Comparison;
import org.potstill.spark.metrics.DistributionComparer;

class BootstrapTest {
    private static final int VOCAB = 20;

    /** Sums of teacher and a noisy model over a document of random length and its own difficulty. */
    private static List<Comparison> document(Random random) {
        int positions = 5 + random.nextInt(30);
        double sharpness = 0.5 + 2 * random.nextDouble();
        float[] teacher = new float[positions * VOCAB];
        float[] model = new float[positions * VOCAB];
        for (int i = 0; i < teacher.length; i++) {
            teacher[i] = (float) (sharpness * random.nextGaussian());
            model[i] = (float) (teacher[i] + 0.5 * random.nextGaussian());
        }
        int[] tokens = random.ints(positions + 1, 0, VOCAB).toArray();
        try (DistributionComparer comparer = new DistributionComparer(VOCAB, 1)) {
            return comparer.compare(comparer.logits(teacher, VOCAB), List.of(comparer.logits(teacher, VOCAB), comparer.logits(model, VOCAB)), tokens);
        }
    }

    private static List<List<Comparison>> documents(int count, long seed) {
        Random random = new Random(seed);
        List<List<Comparison>> documents = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            documents.add(document(random));
        }
        return documents;
    }

    @Test
    void valuesAreThoseOfAllDocumentsTogether() {
        List<List<Comparison>> documents = documents(9, 1);
        Comparison all = documents.stream().map(models -> models.get(1)).reduce(Comparison.NONE, Comparison::plus);
        Comparison teacher = documents.stream().map(models -> models.get(0)).reduce(Comparison.NONE, Comparison::plus);
        ModelScore score = new Bootstrap(documents).scores(100, 7).get(1);
        assertEquals(all.perplexity(), score.perplexity().value(), 1e-9);
        assertEquals(all.perplexity() / teacher.perplexity(), score.perplexityRatio().value(), 1e-9);
        assertEquals((double) all.correct() / teacher.correct(), score.accuracyShare().value(), 1e-9);
        assertEquals(all.kl() / all.positions(), score.kl().value(), 1e-9);
    }

    @Test
    void aRatioIsNarrowerThanItsPartsWhereDocumentsDifferForBothModels() {
        ModelScore score = new Bootstrap(documents(40, 2)).scores(500, 7).get(1);
        double parts = score.perplexity().high() / score.perplexity().low();
        double ratio = score.perplexityRatio().high() / score.perplexityRatio().low();
        assertTrue(ratio < parts, ratio + " and " + parts);
    }

    /** Of 200 samples of documents, some 95 % of the intervals hold what a great many documents give. */
    @Test
    void intervalsCoverTheTruthAboutAsOftenAsTheyClaim() {
        Comparison truth = documents(4000, 3).stream().map(models -> models.get(1)).reduce(Comparison.NONE, Comparison::plus);
        int held = 0;
        for (int sample = 0; sample < 200; sample++) {
            Estimate kl = new Bootstrap(documents(30, 100 + sample)).scores(200, sample).get(1).kl();
            held += kl.low() <= truth.kl() / truth.positions() && truth.kl() / truth.positions() <= kl.high() ? 1 : 0;
        }
        assertTrue(held >= 174 && held <= 199, held + " of 200");
    }

    @Test
    void theTeacherComparedWithItselfHasNoSpread() {
        ModelScore teacher = new Bootstrap(documents(5, 4)).scores(50, 1).get(0);
        assertEquals(new Estimate(1, 1.0, 1.0), teacher.perplexityRatio());
        assertEquals(new Estimate(0, 0.0, 0.0), teacher.kl());
    }

    @Test
    void theSameSeedGivesTheSameIntervals() {
        assertEquals(new Bootstrap(documents(6, 5)).scores(50, 1), new Bootstrap(documents(6, 5)).scores(50, 1));
    }

    @Test
    void oneDocumentHasNoInterval() {
        assertNull(new Bootstrap(documents(1, 6)).scores(50, 1).get(1).accuracy().low());
    }
}
