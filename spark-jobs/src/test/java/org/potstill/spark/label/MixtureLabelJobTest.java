// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.TwoTeachers;
import org.potstill.spark.cache.CorpusLabels;
import org.potstill.spark.cache.CrashingFileSystem;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.cache.SnapshotEntry;
import org.potstill.spark.settings.Settings;

class MixtureLabelJobTest {
    @TempDir
    private Path folder;
    private TwoTeachers teachers;

    @BeforeEach
    void fill() {
        teachers = new TwoTeachers(folder);
    }

    private MixtureLabelSummary label(String... overrides) {
        return new MixtureLabelJob(Distillery.spark(), teachers.both(overrides)).run();
    }

    private LabelSummary alone(Path teacher, String where, String cache) {
        return new LabelJob(Distillery.spark(), teachers.settings("teacher.path=" + teacher, "corpus.where=" + where, "cache.path=" + folder.resolve(cache))).run();
    }

    private CorpusLabels labels(Settings settings) {
        return CorpusLabels.find(Distillery.spark(), settings.string("cache.path"), TargetSpec.topK(8), List.of());
    }

    private static UserException error(Runnable job) {
        return Failures.within(assertThrows(Exception.class, job::run)).orElseThrow();
    }

    /** The files of labels and priors by their paths. */
    private Map<String, byte[]> files(String cache) {
        try (Stream<Path> all = Files.walk(folder.resolve(cache))) {
            return all.filter(file -> file.toString().matches(".*/(labels|priors)/[^._][^/]*")).collect(Collectors.toMap(
                    file -> folder.resolve(cache).relativize(file).toString(), MixtureLabelJobTest::bytes, (one, other) -> one, TreeMap::new));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void eachDocumentHasTheLabelsOfARunWithItsTeacherAlone() {
        MixtureLabelSummary mixed = label();
        assertEquals(Set.of("code", "general"), mixed.teachers().keySet());
        LabelSummary code = alone(teachers.coder(), TwoTeachers.CODE, "alone");
        LabelSummary general = alone(teachers.general(), "not (" + TwoTeachers.CODE + ")", "alone");
        Map<String, byte[]> expected = files("alone");
        Map<String, byte[]> files = files("cache");
        assertTrue(expected.size() > 6, expected.keySet().toString());
        assertEquals(expected.keySet(), files.keySet());
        files.forEach((name, content) -> assertArrayEquals(expected.get(name), content, name));
        assertEquals(code.corpus(), mixed.teachers().get("code").corpus());
        assertEquals(general.corpus(), mixed.teachers().get("general").corpus());
        assertEquals(code.scoredTokens() + general.scoredTokens(), mixed.scoredTokens());
    }

    @Test
    void theSnapshotsOfAllTeachersAreTheWholeCorpus() {
        label();
        new LabelJob(Distillery.spark(), teachers.settings("teacher.path=" + teachers.general(), "cache.path=" + folder.resolve("whole"))).run();
        Set<String> whole = Set.copyOf(teachers.store("whole", null).snapshot().map(MixtureLabelJobTest::place).collect());
        CorpusLabels labels = labels(teachers.both());
        List<String> places = labels.stores().values().stream().flatMap(store -> store.snapshot().map(MixtureLabelJobTest::place).collect().stream()).toList();
        assertEquals(whole.size(), places.size());
        assertEquals(whole, Set.copyOf(places));
        assertEquals(List.of("code", "general"), List.copyOf(labels.stores().keySet()));
        assertEquals(whole.size(), labels.snapshot().path("sequences").asLong());
        assertEquals(TwoTeachers.CODE, labels.snapshot().path("teachers").path("code").path("corpus.where").asText());
        assertFalse(labels.snapshot().has("corpus.where"));
    }

    private static String place(SnapshotEntry entry) {
        return entry.document() + " " + entry.sequence();
    }

    @Test
    void aSecondRunScoresNothingAndAnotherTeacherOnlyItsDocuments() {
        MixtureLabelSummary first = label();
        assertEquals(0, label().scoredTokens());
        TinyLlama.write(folder.resolve("newer.gguf"), 9);
        MixtureLabelSummary changed = label("teachers.code.path=" + folder.resolve("newer.gguf"));
        assertEquals(first.teachers().get("code").scoredTokens(), changed.scoredTokens());
        assertEquals(0, changed.teachers().get("general").scoredTokens());
        // The first teacher's labels are still there.
        assertEquals(0, label().scoredTokens());
    }

    @Test
    void labelsOfARunWithOneTeacherAreUsedAgain() {
        long general = alone(teachers.general(), "true", "cache").scoredTokens();
        MixtureLabelSummary mixed = label();
        assertTrue(general > mixed.teachers().get("general").corpus().positions());
        assertEquals(0, mixed.teachers().get("general").scoredTokens());
        assertEquals(mixed.teachers().get("code").corpus().positions(), mixed.scoredTokens());
    }

    @Test
    void aTeachersSettingsAreItsOwnAndTheOthersCommon() {
        Settings settings = teachers.both("teachers.code.precision=int8", "teachers.code.max-precision-kl=100", "teacher.threads=1");
        assertEquals("int8 1", settings.ofTeacher("code").string("teacher.precision") + " " + settings.ofTeacher("code").string("teacher.threads"));
        MixtureLabelSummary mixed = new MixtureLabelJob(Distillery.spark(), settings).run();
        assertEquals("int8", mixed.teachers().get("code").precision().precision());
        assertNull(mixed.teachers().get("general").precision());
    }

    @Test
    void aDocumentOfNoTeacherOrOfSeveralIsCountedAndRefused() {
        UserException none = error(() -> label("teachers.general.where=domain = 'poems'"));
        assertEquals("8 of 12 documents of the corpus " + teachers.corpus() + " are for no teacher", none.problem());
        UserException several = error(() -> label("teachers.general.where=id > 'd3'"));
        assertTrue(several.problem().startsWith("2 of 12 documents") && several.cause().contains("code and general"), several.getMessage());
        UserException idle = error(() -> label("teachers.code.where=domain = 'cod'"));
        assertTrue(idle.cause().contains("domain = 'cod'") && idle.remedy().contains("teachers.code.where"), idle.getMessage());
        UserException rest = error(() -> label("teachers.code.where=true"));
        assertTrue(rest.problem().contains("'general'"), rest.getMessage());
        UserException wrong = error(() -> label("teachers.code.where=dmain = 'code'"));
        assertTrue(wrong.remedy().contains("teachers.code.where"), wrong.getMessage());
        assertEquals(0, files("").size());
    }

    @Test
    void aConditionThatIsNullDoesNotHold() {
        Distillery.write(teachers.corpus(), new String(bytes(teachers.corpus()), StandardCharsets.UTF_8) + "{\"id\": \"n\", \"text\": \"" + Distillery.text(99, 40)
                + "\"}\n");
        MixtureLabelSummary mixed = label();
        assertEquals(4, mixed.teachers().get("code").corpus().documents());
        assertEquals(9, mixed.teachers().get("general").corpus().documents());
    }

    @Test
    void teachersWithOtherTokenizersAreRefusedBeforeAnyIsUsed() {
        TinyLlama.gguf(8, TinyLlama.config()).put("tokenizer.ggml.merges", new String[] {"Ġ t"}).write(teachers.coder());
        UserException merges = error(this::label);
        assertTrue(merges.problem().contains("'code' and 'general'") && merges.cause().contains("of the same text"), merges.getMessage());
        TinyLlama.gguf(8, TinyLlama.config()).put("tokenizer.ggml.add_bos_token", true).write(teachers.coder());
        assertTrue(error(this::label).problem().contains("do not have the same tokenizer"));
        String[] tokens = TinyLlama.tokens();
        String moved = tokens[40];
        tokens[40] = tokens[41];
        tokens[41] = moved;
        TinyLlama.gguf(8, TinyLlama.config()).put("tokenizer.ggml.tokens", tokens).write(teachers.coder());
        UserException ids = error(this::label);
        assertTrue(ids.cause().contains(" is 4") && ids.cause().contains(" here and 4"), ids.getMessage());
        assertEquals(Map.of(), files(""));
    }

    @Test
    void oneTeacherUnderTwoNamesIsRefused() {
        assertTrue(error(() -> label("teachers.code.path=" + teachers.general())).problem().contains("are the same"));
    }

    @Test
    void conversationsNeedOneChatTemplate() {
        String template = "{% for m in messages %}[{{ m.role }}: {{ m.content }}]{% endfor %}";
        TinyLlama.gguf(7, TinyLlama.config()).put("tokenizer.chat_template", template).write(teachers.general());
        // Texts do not need it.
        label();
        Distillery.write(teachers.corpus(), "{\"id\": \"a\", \"domain\": \"code\", \"messages\": [{\"role\": \"user\", \"content\": \"" + Distillery.text(1, 60)
                + "\"}]}\n{\"id\": \"b\", \"domain\": \"prose\", \"messages\": [{\"role\": \"user\", \"content\": \"" + Distillery.text(2, 60) + "\"}]}\n");
        TinyLlama.gguf(8, TinyLlama.config()).put("tokenizer.chat_template", template + "!").write(teachers.coder());
        UserException differ = error(() -> label("corpus.holdout=0"));
        assertTrue(differ.problem().contains("different chat templates"), differ.getMessage());
        TinyLlama.gguf(8, TinyLlama.config()).put("tokenizer.chat_template", template).write(teachers.coder());
        assertTrue(label("corpus.holdout=0").scoredTokens() > 0);
    }

    @Test
    void errorsNameTheTeacherAndItsSettings() {
        UserException missing = error(() -> label("teachers.code.path=" + folder.resolve("none.gguf")));
        assertTrue(missing.problem().contains("the teacher 'code'") && missing.remedy().contains("teachers.code.path"), missing.getMessage());
    }

    @Test
    void aRunThatIsKilledAnywhereIsCompletedByTheNext() {
        CrashingFileSystem.register(Distillery.spark().sparkContext().hadoopConfiguration());
        long all = label().scoredTokens();
        Map<String, byte[]> expected = files("cache");
        boolean inTime = false;
        int kept = 0;
        int half = 0;
        for (int steps = 5; !inTime; steps += 29) {
            String cache = "killed-" + steps;
            String there = "cache.path=crash://" + folder.resolve(cache);
            CrashingFileSystem.crashAfter(steps);
            try {
                label(there);
            } catch (Exception e) {
                assertTrue(CrashingFileSystem.crashed(), () -> "did not crash: " + e);
            }
            inTime = !CrashingFileSystem.crashed();
            CrashingFileSystem.recover();
            MixtureLabelSummary rest = label(there);
            kept += rest.scoredTokens() > 0 && rest.scoredTokens() < all ? 1 : 0;
            half += rest.teachers().get("code").scoredTokens() == 0 && rest.scoredTokens() > 0 ? 1 : 0;
            Map<String, byte[]> files = files(cache);
            assertEquals(expected.keySet(), files.keySet(), "after " + steps + " steps");
            labels(teachers.both(there));
        }
        assertTrue(kept > 0 && half > 0, kept + " runs kept some of their work, " + half + " all of the first teacher's");
    }

    @Test
    void snapshotsThatDoNotBelongTogetherAreRefused() throws IOException {
        label();
        Settings settings = teachers.both();
        LabelStore code = labels(settings).stores().get("code");
        Path current = Path.of(code.folder().path("snapshots/current.json").toUri().getPath());
        String before = Files.readString(current);
        UserException part = error(() -> CorpusLabels.find(Distillery.spark(), settings.string("cache.path"), TargetSpec.topK(8), List.of(code.labels().teacher())));
        assertTrue(part.cause().contains("code, general"), part.getMessage());
        teachers.write(15);
        label();
        assertTrue(labels(settings).snapshot().path("documents").asLong() == 15);
        // As if it had been killed between the two publications.
        Files.writeString(current, before);
        List<String> prints = labelsOf(settings);
        UserException torn = error(() -> CorpusLabels.find(Distillery.spark(), settings.string("cache.path"), TargetSpec.topK(8), prints));
        assertTrue(torn.remedy().contains("potstill label"), torn.getMessage());
        assertEquals(0, label().scoredTokens());
        assertEquals(15, labels(settings).snapshot().path("documents").asLong());
        // One teacher's run afterwards takes its labels out of the mixture.
        alone(teachers.coder(), "true", "cache");
        assertThrows(UserException.class, () -> CorpusLabels.find(Distillery.spark(), settings.string("cache.path"), TargetSpec.topK(8), prints));
    }

    private static List<String> labelsOf(Settings settings) {
        return LabelStores.folders(Distillery.spark(), settings.string("cache.path")).stream()
                .map(held -> LabelStores.open(Distillery.spark(), settings.string("cache.path"), held).labels().teacher()).toList();
    }
}
