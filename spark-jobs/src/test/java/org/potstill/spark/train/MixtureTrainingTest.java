// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.TwoTeachers;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.evaluate.MixtureEvaluateJob;
import org.potstill.spark.evaluate.MixtureEvaluateSummary;
import org.potstill.spark.label.MixtureLabelJob;
import org.potstill.spark.settings.Settings;
import org.potstill.student.Student;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.TrainingOptions;

/** A student of two teachers. */
class MixtureTrainingTest {
    @TempDir
    private static Path folder;
    private static TwoTeachers teachers;

    @BeforeAll
    static void label() {
        teachers = new TwoTeachers(folder);
        teachers.write(24);
        new MixtureLabelJob(Distillery.spark(), teachers.both()).run();
    }

    private static Settings settings(String student, String... overrides) {
        List<String> all = new ArrayList<>(List.of("student.path=" + folder.resolve(student), "train.workers=1", "train.local-steps=3", "train.epochs=2"));
        all.addAll(List.of(overrides));
        return teachers.both(all.toArray(String[]::new));
    }

    /** A sequence of either teacher at its place in the corpus, decoded by its own teacher's labels. */
    private record Learnt(SnapshotEntry place, TrainingSequence sequence) {
    }

    private static List<Learnt> all() {
        List<Learnt> all = new ArrayList<>();
        for (String held : LabelStores.folders(Distillery.spark(), folder.resolve("cache").toString())) {
            LabelStore store = LabelStores.open(Distillery.spark(), folder.resolve("cache").toString(), held);
            Map<String, LabelledSequence> rows = new HashMap<>();
            store.sequences().collect().forEach(row -> rows.put(row.key(), row));
            store.snapshot().collect().forEach(place -> all.add(new Learnt(place, new TrainingSequence(rows.get(place.key()).tokens(),
                    store.labels().decode(rows.get(place.key()), "cache"), null))));
        }
        return all;
    }

    @Test
    void trainingOnBothTeachersLabelsEqualsPlainStepsOverThem() {
        Settings settings = settings("student");
        TrainSummary summary = new TrainJob(Distillery.spark(), settings).run();
        List<Learnt> all = all();
        List<StepLoss> history = new ArrayList<>();
        int perEpoch = (all.size() + 3) / 4;
        TrainingOptions options = TrainingSettings.options(settings, 2 * perEpoch);
        try (Student twin = Student.create(StudentShape.of(settings, 320), options, settings.trainingSeed());
                Student student = Student.load(folder.resolve("student"), options)) {
            for (int epoch = 0; epoch < 2; epoch++) {
                int draw = epoch;
                all.sort(Comparator.comparing(learnt -> Sha256.of(settings.trainingSeed() + "\n" + draw + "\n" + learnt.place().key() + "\n"
                        + learnt.place().sequence())));
                for (int from = 0; from < all.size(); from += 4) {
                    history.add(twin.step(all.subList(from, Math.min(all.size(), from + 4)).stream().map(Learnt::sequence).toList(), history.size()));
                }
            }
            assertEquals(history.size(), summary.history().size());
            for (int step = 0; step < history.size(); step++) {
                assertEquals(history.get(step).kl(), summary.history().get(step).kl(), 1e-5, "step " + step);
            }
            assertArrayEquals(twin.parameters(), student.parameters(), 1e-5f);
        }
        assertEquals(all.stream().mapToLong(learnt -> learnt.sequence().tokens().length - 1L).sum() * 2, summary.positions());
    }

    @Test
    void theStudentsProvenanceNamesItsTeachersAndTheirParts() throws Exception {
        new TrainJob(Distillery.spark(), settings("told", "train.epochs=1")).run();
        JsonNode provenance = new ObjectMapper().readTree(folder.resolve("told/provenance.json").toFile());
        assertEquals("coder.gguf teacher.gguf", provenance.path("teachers").path("code").path("name").asText() + " "
                + provenance.path("teachers").path("general").path("name").asText());
        JsonNode parts = provenance.path("corpus").path("teachers");
        assertEquals(provenance.path("corpus").path("positions").asLong(), parts.path("code").path("positions").asLong() + parts.path("general").path("positions").asLong());
        assertTrue(parts.path("code").path("positions").asLong() > 0);
        // The teachers need not be there: the cache has only this mixture.
        Settings without = teachers.settings("student.path=" + folder.resolve("told"), "train.workers=1", "train.local-steps=3", "train.epochs=1");
        assertTrue(new TrainJob(Distillery.spark(), without).run().student().endsWith("/told"));
    }

    @Test
    void anotherMixtureOfTeachersIsRefused() {
        UserException part = Failures.within(assertThrows(Exception.class, () -> new TrainJob(Distillery.spark(),
                teachers.settings("teacher.path=" + teachers.coder())).run())).orElseThrow();
        assertTrue(part.remedy().contains("teachers"), part.getMessage());
        UserException other = Failures.within(assertThrows(Exception.class, () -> new TrainJob(Distillery.spark(),
                settings("other", "teachers.code.precision=int8")).run())).orElseThrow();
        assertTrue(other.problem().contains("another teacher"), other.getMessage());
    }

    @Test
    void theStudentIsComparedWithTheTeacherOfEachDocument() {
        String[] evaluation = {"evaluate.max-tokens=100000", "evaluate.speed-tokens=0", "evaluate.resamples=1"};
        new TrainJob(Distillery.spark(), settings("compared")).run();
        MixtureEvaluateSummary mixed = new MixtureEvaluateJob(Distillery.spark(), settings("compared", evaluation)).run();
        long positions = 0;
        double kl = 0;
        for (String name : List.of("code", "general")) {
            List<String> own = new ArrayList<>(List.of(evaluation));
            own.addAll(List.of("student.path=" + folder.resolve("compared"), "teacher.path=" + (name.equals("code") ? teachers.coder() : teachers.general()),
                    "corpus.where=" + (name.equals("code") ? TwoTeachers.CODE : "domain = 'prose'")));
            EvaluateSummary alone = new EvaluateJob(Distillery.spark(), teachers.settings(own.toArray(String[]::new))).run();
            assertEquals(alone.heldOut(), mixed.teachers().get(name).heldOut());
            positions += alone.heldOut().positions();
            kl += alone.heldOut().positions() * alone.heldOut().student().kl().value();
        }
        assertEquals(positions, mixed.positions());
        assertEquals(kl / positions, mixed.kl(), 1e-9);
    }

    @Test
    void aTeacherWithoutHeldOutDocumentsIsLeftOutAndSaid() {
        new TrainJob(Distillery.spark(), settings("some")).run();
        MixtureEvaluateSummary mixed = new MixtureEvaluateJob(Distillery.spark(), settings("some", "evaluate.speed-tokens=0", "evaluate.resamples=1",
                "teachers.code.where=id = '" + trainedId() + "'", "corpus.where=domain = 'prose' or id = '" + trainedId() + "'")).run();
        assertEquals(List.of("general"), List.copyOf(mixed.teachers().keySet()));
        assertTrue(mixed.leftOut().get("code").contains("held out"), mixed.leftOut().toString());
    }

    /** The id of a document that is trained on. */
    private static String trainedId() {
        return all().stream().map(learnt -> learnt.place().document()).filter(id -> id.matches("d[0369]")).sorted().findFirst().orElseThrow();
    }
}
