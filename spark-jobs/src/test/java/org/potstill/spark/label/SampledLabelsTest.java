// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.evaluate.TextScore;
import org.potstill.spark.train.TrainJob;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/** The cache with draws from the teacher's distributions in it. */
class SampledLabelsTest {
    private static final String[] SAMPLED = {"targets.k=0", "targets.draws=20", "targets.seed=3"};

    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeEach
    void fill() {
        distillery = new Distillery(folder);
    }

    private static String[] with(String[] some, String... more) {
        String[] all = Arrays.copyOf(some, some.length + more.length);
        System.arraycopy(more, 0, all, some.length, more.length);
        return all;
    }

    private LabelSummary label(String... overrides) {
        return new LabelJob(Distillery.spark(), distillery.settings(overrides)).run();
    }

    private Map<String, LabelledSequence> rows(String cache, TargetSpec spec) {
        Map<String, LabelledSequence> rows = new HashMap<>();
        LabelStores.find(Distillery.spark(), distillery.path(cache).toString(), spec, null).sequences().collect()
                .forEach(row -> rows.put(row.key(), row));
        return rows;
    }

    @Test
    void whatIsDecodedIsWhatTheTeacherDrew() {
        label(SAMPLED);
        TargetSpec spec = TargetSpec.systematic(20, 3);
        LabelStore store = LabelStores.find(Distillery.spark(), distillery.path("cache").toString(), spec, null);
        List<LabelledSequence> rows = store.sequences().take(20);
        try (Teacher teacher = OnnxTeacher.open(distillery.teacher(),
                new TeacherOptions(TeacherOptions.Device.CPU, 2, distillery.path("scratch")))) {
            for (LabelledSequence row : rows) {
                SoftTargets expected = teacher.score(List.of(row.tokens()), spec).get(0).targets();
                SoftTargets decoded = store.labels().decode(row, "cache");
                assertArrayEquals(expected.offsets(), decoded.offsets());
                assertArrayEquals(expected.ids(), decoded.ids());
                assertArrayEquals(expected.probabilities(), decoded.probabilities(), 1e-6f);
                assertEquals(row.key(), store.labels().key(row.tokens()));
            }
        }
    }

    @Test
    void twoRunsFromNothingWriteTheSameBytesHoweverTheWorkIsCut() {
        label(SAMPLED);
        label(with(SAMPLED, "cache.path=" + distillery.path("again"), "cache.shard-tokens=100000", "batch-tokens=4096"));
        Map<String, LabelledSequence> once = rows("cache", TargetSpec.systematic(20, 3));
        Map<String, LabelledSequence> again = rows("again", TargetSpec.systematic(20, 3));
        assertEquals(once.keySet(), again.keySet());
        once.forEach((key, row) -> assertArrayEquals(row.targets(), again.get(key).targets()));
    }

    @Test
    void anotherSeedAndAnotherKindLieBesideWhatIsThere() {
        LabelSummary first = label(SAMPLED);
        Map<String, LabelledSequence> before = rows("cache", TargetSpec.systematic(20, 3));
        assertEquals(first.scoredTokens(), label("targets.k=0", "targets.draws=20", "targets.seed=4").scoredTokens());
        assertEquals(first.scoredTokens(), label("targets.k=4", "targets.draws=20").scoredTokens());
        assertEquals(0, label(SAMPLED).scoredTokens());
        assertEquals(before.keySet(), rows("cache", TargetSpec.systematic(20, 3)).keySet());
        Map<String, LabelledSequence> other = rows("cache", TargetSpec.systematic(20, 4));
        assertEquals(before.size(), other.size());
        assertTrue(other.keySet().stream().noneMatch(before::containsKey));
        assertNotEquals(first.cache(), label("targets.k=4", "targets.draws=20").cache());
    }

    @Test
    void theStudentLearnsFromDrawsWhatItLearnsFromTheTop() {
        String[] learning = {"train.epochs=6", "train.alpha=1"};
        for (String[] targets : new String[][] {SAMPLED, {"targets.k=4", "targets.draws=20"}}) {
            label(targets);
            String[] student = with(with(targets, learning), "student.path=" + distillery.path("student-" + targets[0]));
            new TrainJob(Distillery.spark(), distillery.settings(student)).run();
            TextScore score = new EvaluateJob(Distillery.spark(), distillery.settings(with(student, "evaluate.speed-tokens=0"))).run().heldOut();
            assertTrue(score.student().kl().value() < 0.9 * score.unigram().kl().value(), score.toString());
        }
    }
}
