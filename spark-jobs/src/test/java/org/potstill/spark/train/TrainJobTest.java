// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Configurator;
import org.apache.logging.log4j.core.config.Property;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.huggingface.SafetensorsFile;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelStores;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.train.averaging.Losses;
import org.potstill.spark.train.exchange.StudentPool;
import org.potstill.spark.train.state.Averaging;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.TrainingEngine;
import org.potstill.teacher.Teachers;

class TrainJobTest {
    private static Distillery labelled;
    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeAll
    static void label(@TempDir Path folder) {
        labelled = new Distillery(folder);
        new LabelJob(Distillery.spark(), labelled.settings()).run();
    }

    @BeforeEach
    void copyTheCache() throws IOException {
        distillery = Distillery.withCacheOf(labelled, folder);
    }

    private TrainSummary train(String... overrides) {
        return new TrainJob(Distillery.spark(), distillery.settings(overrides)).run();
    }

    private float[] weights(String student) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(student).resolve("model.safetensors"))) {
            int size = 0;
            for (String name : file.names()) {
                size += Math.toIntExact(java.util.Arrays.stream(file.shape(name)).reduce(1, (a, b) -> a * b));
            }
            FloatBuffer all = FloatBuffer.allocate(size);
            file.names().forEach(name -> file.read(name, all));
            return all.array();
        }
    }

    private static UserException error(Runnable job) {
        return Failures.within(assertThrows(Exception.class, job::run)).orElseThrow();
    }

    @Test
    void theStudentLearnsAndItsFolderIsComplete() throws Exception {
        // A random teacher contradicts the text: one student listens to the text alone, the other to the teacher.
        List<StepLoss> history = train("train.epochs=6", "train.alpha=0", "train.scratch=" + folder.resolve("scratch"),
                "student.path=" + folder.resolve("reader")).history();
        assertTrue(end(history).crossEntropy() < 0.8 * begin(history).crossEntropy(), begin(history) + " " + end(history));
        history = train("train.epochs=6", "train.alpha=1").history();
        assertTrue(end(history).kl() < 0.9 * begin(history).kl(), begin(history) + " " + end(history));
        for (String name : List.of("config.json", "model.safetensors", "tokenizer.json", "provenance.json")) {
            assertTrue(Files.size(folder.resolve("student").resolve(name)) > 0, name);
        }
        try (Stream<Path> files = Files.walk(folder.resolve("student"))) {
            assertTrue(files.noneMatch(f -> f.getFileName().toString().contains("incoming") || f.toString().endsWith(".crc")));
        }
        assertEquals(List.of(false, false), Stream.of("student", "reader").map(name -> Files.exists(folder.resolve(name).resolve("_epochs"))).toList());
        assertEquals(0, folder.resolve("scratch").toFile().list().length);
        String provenance = Files.readString(folder.resolve("student/provenance.json"));
        assertTrue(provenance.contains("\"fingerprint\"") && provenance.contains("\"snapshot\""));
        assertEquals(StudentPool.simd(TrainingEngine.DL4J), new ObjectMapper().readTree(provenance).path("training").path("simd").path(0).asText());
    }

    private static StepLoss begin(List<StepLoss> history) {
        return Losses.mean(history.subList(0, 4));
    }

    private static StepLoss end(List<StepLoss> history) {
        return Losses.mean(history.subList(history.size() - 4, history.size()));
    }

    @Test
    void anEpochUsesEveryPositionOfTheSnapshotOnceWhateverTheWorkers() {
        long expected = new LabelJob(Distillery.spark(), distillery.settings()).run().corpus().positions();
        for (int workers : new int[] {1, 3, 50}) {
            TrainSummary summary = train("train.workers=" + workers, "student.path=" + folder.resolve("s" + workers));
            assertEquals(expected, summary.history().stream().mapToLong(StepLoss::positions).sum());
            assertEquals(expected, summary.positions());
        }
    }

    @Test
    void twoWorkersAveragingEveryStepEqualOneOnTheWholeBatch() {
        String[] sgd = {"train.optimizer=sgd", "train.local-steps=1", "train.learning-rate=0.5", "train.min-learning-rate=0.5",
            "train.warmup-share=0", "train.max-gradient-norm=0"};
        train(concat(sgd, "train.workers=2", "train.batch-size=4", "student.path=" + folder.resolve("two")));
        train(concat(sgd, "train.workers=1", "train.batch-size=8", "student.path=" + folder.resolve("one")));
        float[] two = weights("two");
        float[] one = weights("one");
        float[] before = beforeTraining();
        double moved = 0;
        for (int i = 0; i < one.length; i++) {
            assertEquals(one[i], two[i], 1e-5);
            moved = Math.max(moved, Math.abs(one[i] - before[i]));
        }
        assertTrue(moved > 1e-2, "the test proves nothing if the weights hardly moved: " + moved);
    }

    private float[] beforeTraining() {
        train("train.optimizer=sgd", "train.learning-rate=0", "train.min-learning-rate=0", "train.max-gradient-norm=0",
                "student.path=" + folder.resolve("before"));
        return weights("before");
    }

    @Test
    void theSameSeedGivesTheSameBytesAndAnotherSeedOthers() throws Exception {
        train("student.path=" + folder.resolve("a"));
        train("student.path=" + folder.resolve("b"));
        assertArrayEquals(Files.readAllBytes(folder.resolve("a/model.safetensors")), Files.readAllBytes(folder.resolve("b/model.safetensors")));
        new LabelJob(Distillery.spark(), distillery.settings("seed=43")).run();
        train("student.path=" + folder.resolve("c"), "seed=43");
        assertFalse(java.util.Arrays.equals(weights("a"), weights("c")));
    }

    @Test
    void anotherTrainingSeedGivesAnotherStudentOfTheSameCache() {
        train("student.path=" + folder.resolve("a"));
        train("student.path=" + folder.resolve("b"), "train.seed=43");
        assertFalse(java.util.Arrays.equals(weights("a"), weights("b")));
    }

    @Test
    void theTrainingSeedIsPartOfWhatAStudentIs() throws Exception {
        TrainSummary first = train();
        JsonNode identity = new ObjectMapper().readTree(folder.resolve("student/provenance.json").toFile()).path("identity");
        assertEquals("42", identity.path("seed").asText(), "as in students from before there was train.seed");
        assertFalse(identity.has("train.seed"));
        assertEquals(first, train("train.seed=42"));
        assertTrue(first.hardware().share() > 0 && first.hardware().devices().iterator().next().endsWith("1 thread, fp32, measured"), first.hardware().toString());
        UserException error = error(() -> train("train.seed=43"));
        assertTrue(error.cause().contains("seed is \"43\" now and was \"42\" then"), error.getMessage());
    }

    @Test
    void whereTheCorpusLiesAndWhatItsFilesAreCalledChangesNothing() throws Exception {
        train("student.path=" + folder.resolve("here"));
        try (Stream<Path> files = Files.list(distillery.corpus())) {
            List<Path> sorted = files.sorted().toList();
            for (int i = 0; i < sorted.size(); i++) {
                Distillery.write(folder.resolve("moved/" + (100 - i) + ".txt"), Files.readAllBytes(sorted.get(i)));
            }
        }
        assertEquals(0, new LabelJob(Distillery.spark(), distillery.settings("corpus.path=" + folder.resolve("moved"))).run().scoredTokens());
        train("student.path=" + folder.resolve("there"));
        assertArrayEquals(weights("here"), weights("there"));
    }

    @Test
    void onlyResponsesAreLearntFrom() {
        long all = train("train.workers=2", "student.path=" + folder.resolve("all")).positions();
        TrainSummary responses = train("train.workers=2", "train.response-start=\". \"", "train.response-end=\"e\"",
                "student.path=" + folder.resolve("responses"));
        assertTrue(responses.positions() > 0 && responses.positions() < all / 2, responses.positions() + " of " + all);
        assertEquals(responses.positions(), responses.history().stream().mapToLong(StepLoss::positions).sum());
        assertTrue(error(() -> train("train.response-start=nowhere in this text", "student.path=" + folder.resolve("none")))
                .getMessage().contains("train.response-start"));
    }

    @Test
    void aResponseIsLearntToItsDocumentsEndAndStepsInWhichNothingCountsAreNoSteps() {
        Tokenization tokenization = Tokenization.of(distillery.settings());
        String text = IntStream.range(0, 12).mapToObj(i -> Distillery.text(i, 120)).filter(each -> !tokenization.heldOut(each)).findFirst().orElseThrow();
        String marker = text.substring(100, 140);
        String[] settings = {"train.workers=2", "train.batch-size=1", "train.response-start=\"" + marker + "\"",
            "student.path=" + folder.resolve("one")};
        assertTrue(error(() -> train(settings)).getMessage().contains("train.max-unmarked-share"));
        TrainSummary one = train(concat(settings, "train.max-unmarked-share=1"));
        int learnt = 0;
        try (CausalLm teacher = Teachers.model(distillery.teacher()); Tokenizer tokenizer = new Tokenizer(teacher.tokenizer())) {
            int[] ids = tokenizer.encode(text);
            for (int i = 0; i < ids.length; i++) {
                learnt += tokenizer.decode(Arrays.copyOf(ids, i + 1)).length() > 140 ? 1 : 0;
            }
        }
        assertEquals(learnt, one.positions());
        assertTrue(one.history().stream().allMatch(loss -> loss.positions() > 0 && loss.crossEntropy() > 0), one.history().toString());
    }

    @Test
    void theShareOfThePeakIsModelFlopsPerSecondOfARound() throws IOException {
        List<TrainedRound> rounds = new ArrayList<>();
        TrainSummary summary = new TrainJob(Distillery.spark(), distillery.settings("train.epochs=2", "train.workers=2", "hardware.student-tflops=0.01",
                "hardware.price-per-hour=3.6"), rounds::add).run();
        CausalLmConfig config = CausalLmConfig.fromJson(Files.readString(folder.resolve("student/config.json")), "config.json");
        double expected = 2 * store().sequences().collect().stream().mapToDouble(row -> 3 * ModelFlops.of(config).forward(row.positions())).sum();
        assertEquals(expected, summary.hardware().modelFlops(), 1e-9 * expected);
        // Two task slots share the executor's peak; in the last round of an epoch a worker may have nothing to do.
        assertEquals(0.005e12, summary.hardware().peak(), 1);
        double seconds = rounds.stream().mapToDouble(round -> round.loss().positions() / round.tokensPerSecond()).sum();
        double share = summary.hardware().share();
        assertTrue(share >= expected / 0.01e12 / seconds * 0.999 && share <= expected / 0.005e12 / seconds, summary.hardware() + " in " + seconds + " s");
        assertEquals(summary.rounds(), summary.exchange().rounds());
        assertEquals(0, summary.exchange().bytes(), "one executor");
        assertTrue(summary.exchange().waitedShare() > 0 && summary.exchange().waitedShare() < 1, summary.exchange().toString());
        assertTrue(rounds.stream().allMatch(round -> round.flopsShare() > 0 && round.waitedShare() > 0 && round.exchangedBytes() == 0), rounds.toString());
        assertEquals(summary.seconds() / 1000 / summary.positions() * 1e6, summary.cost().perMillionTokens(), 1e-9);
    }

    @Test
    void theStudentLearnsUnderOtherDivergences() {
        for (String loss : List.of("jsd", "reverse-kl")) {
            List<StepLoss> history = train("train.epochs=3", "train.alpha=1", "train.loss=" + loss,
                    "train.tail=renormalise", "student.path=" + folder.resolve(loss)).history();
            assertTrue(end(history).kl() < 0.95 * begin(history).kl(), loss + ": " + begin(history) + " " + end(history));
        }
    }

    @Test
    void halfThePayloadTeachesTheSame() {
        List<StepLoss> single = train("train.epochs=4", "train.alpha=0", "student.path=" + folder.resolve("fp32")).history();
        List<StepLoss> half = train("train.epochs=4", "train.alpha=0", "train.payload=fp16", "student.path=" + folder.resolve("fp16")).history();
        assertTrue(end(single).total() < 0.9 * begin(single).total(), begin(single) + " " + end(single));
        assertEquals(end(single).total(), end(half).total(), 0.01);
        assertFalse(java.util.Arrays.equals(weights("fp32"), weights("fp16")));
    }

    /** Moments that stay with their workers, and differences in few bits, teach the same; a stopped run goes on to the same bytes. */
    @ParameterizedTest
    @CsvSource({"fp32, 0", "fp16, 0", "int8, 0", "int4, 0", "fp32, 1", "int8, 1"})
    void averagingOnlyParametersTeachesTheSame(String payload, int overlap) throws Exception {
        String[] settings = {"train.epochs=2", "train.alpha=0", "train.average=parameters", "train.local-steps=2", "train.outer-momentum=0.3",
            "train.checkpoint-rounds=5", "train.keep-checkpoints=100", "train.payload=" + payload, "train.overlap=" + overlap};
        List<StepLoss> everything = train("train.epochs=2", "train.alpha=0", "train.local-steps=2", "train.outer-momentum=0.3",
                "student.path=" + folder.resolve("everything")).history();
        List<StepLoss> parameters = train(concat(settings, "student.path=" + folder.resolve("undisturbed"))).history();
        assertEquals(end(everything).total(), end(parameters).total(), 0.02);
        assertFalse(java.util.Arrays.equals(weights("everything"), weights("undisturbed")));
        train(settings);
        assertArrayEquals(weights("undisturbed"), weights("student"));
        for (String name : List.of("provenance.json", "model.safetensors")) {
            Files.delete(folder.resolve("student").resolve(name));
        }
        List<Path> checkpoints;
        try (Stream<Path> files = Files.list(folder.resolve("student/checkpoints"))) {
            checkpoints = files.sorted().toList();
        }
        assertTrue(checkpoints.size() > 2, checkpoints.toString());
        for (Path later : checkpoints.subList(checkpoints.size() / 2, checkpoints.size())) {
            FileUtils.deleteDirectory(later.toFile());
        }
        train(settings);
        assertArrayEquals(weights("undisturbed"), weights("student"));
    }

    private JsonNode late() throws IOException {
        return new ObjectMapper().readTree(folder.resolve("student/provenance.json").toFile()).path("late");
    }

    /** More workers than cores, the last of which is late: it begins when another is done. */
    @Test
    void aResumedRunClosesRoundsWithoutTheSameWorkers() throws Exception {
        String[] settings = {"train.epochs=2", "train.average=parameters", "train.local-steps=1", "train.batch-size=1", "train.workers=3",
            "train.checkpoint-rounds=7", "train.keep-checkpoints=100", "train.payload=int8", "train.grace=0.001"};
        TrainSummary summary = train(settings);
        float[] undisturbed = weights("student");
        JsonNode late = late();
        assertTrue(late.size() > 1, late.toString());
        assertEquals(summary.positions(), summary.history().stream().mapToLong(StepLoss::positions).sum());
        List<Path> checkpoints;
        try (Stream<Path> files = Files.list(folder.resolve("student/checkpoints"))) {
            checkpoints = files.filter(file -> file.getFileName().toString().startsWith("step-")).sorted().toList();
        }
        // From the middle, and from the beginning, to the end.
        for (int kept : new int[] {checkpoints.size() / 2, 0}) {
            for (String name : List.of("provenance.json", "model.safetensors")) {
                Files.delete(folder.resolve("student").resolve(name));
            }
            for (Path later : checkpoints.subList(kept, checkpoints.size())) {
                FileUtils.deleteDirectory(later.toFile());
            }
            TrainSummary again = train(settings);
            assertArrayEquals(undisturbed, weights("student"));
            assertEquals(summary.history(), again.history());
            assertEquals(late, late());
        }
    }

    @Test
    void coarsePayloadsOverlapAndGraceAreForParametersOnly() {
        assertTrue(assertThrows(UserException.class, () -> train("train.payload=int8")).cause().contains("train.average = parameters"));
        assertTrue(assertThrows(UserException.class, () -> train("train.overlap=1")).cause().contains("train.average = parameters"));
        assertTrue(assertThrows(UserException.class, () -> train("train.average=parameters", "train.local-steps=2", "train.overlap=2")).cause()
                .contains("do not leave one"));
        assertTrue(assertThrows(UserException.class, () -> train("train.grace=5")).cause().contains("train.average = parameters"));
        assertTrue(assertThrows(UserException.class, () -> train("train.average=parameters", "train.local-steps=2", "train.overlap=1", "train.grace=5"))
                .cause().contains("train.overlap = 0"));
    }

    @Test
    void outerMomentumIsKeptOverAResumeAndChangesTheStudent() throws Exception {
        String[] outer = {"train.epochs=2", "train.outer-momentum=0.9", "train.outer-learning-rate=0.7", "train.payload=fp16"};
        train("train.epochs=2", "train.payload=fp16", "student.path=" + folder.resolve("plain"));
        train(concat(outer, "student.path=" + folder.resolve("undisturbed")));
        assertFalse(java.util.Arrays.equals(weights("plain"), weights("undisturbed")));
        train(concat(outer, "train.keep-checkpoints=9"));
        for (String name : List.of("provenance.json", "model.safetensors")) {
            Files.delete(folder.resolve("student").resolve(name));
        }
        try (Stream<Path> files = Files.list(folder.resolve("student/checkpoints"))) {
            FileUtils.deleteDirectory(files.max(java.util.Comparator.naturalOrder()).orElseThrow().toFile());
        }
        train(concat(outer, "train.keep-checkpoints=9"));
        assertArrayEquals(weights("undisturbed"), weights("student"));
    }

    @Test
    void aRunThatWasStoppedGoesOnToTheSameBytes() throws Exception {
        train("train.epochs=2", "student.path=" + folder.resolve("undisturbed"));
        train("train.epochs=2", "train.checkpoint-rounds=2", "train.keep-checkpoints=100");
        Path student = folder.resolve("student");
        byte[] undisturbed = Files.readAllBytes(folder.resolve("undisturbed/model.safetensors"));
        assertArrayEquals(undisturbed, Files.readAllBytes(student.resolve("model.safetensors")));
        // As if killed within the first epoch, and within the second: later checkpoints and the result were never written.
        List<Path> checkpoints;
        try (Stream<Path> files = Files.list(student.resolve("checkpoints"))) {
            checkpoints = files.sorted().toList();
        }
        assertTrue(checkpoints.size() >= 4, checkpoints.toString());
        for (int kept = checkpoints.size() - 1; kept >= 1; kept--) {
            for (String name : List.of("provenance.json", "model.safetensors")) {
                Files.delete(student.resolve(name));
            }
            for (int later = kept; later < checkpoints.size(); later++) {
                FileUtils.deleteDirectory(checkpoints.get(later).toFile());
            }
            TrainSummary summary = train("train.epochs=2", "train.checkpoint-rounds=2", "train.keep-checkpoints=100");
            assertArrayEquals(undisturbed, Files.readAllBytes(student.resolve("model.safetensors")));
            assertEquals(summary.positions(), summary.history().stream().mapToLong(StepLoss::positions).sum());
        }
    }

    @Test
    void howOftenTheDriverCollectsTheStateChangesNothing() {
        String[] rounds = {"train.local-steps=1", "train.batch-size=1", "train.outer-momentum=0.9"};
        TrainSummary seldom = train(concat(rounds, "student.path=" + folder.resolve("seldom")));
        assertTrue(seldom.rounds() > TrainingLoop.COPY_ROUNDS + 10, seldom.rounds() + " rounds");
        train(concat(rounds, "train.checkpoint-rounds=5", "student.path=" + folder.resolve("often")));
        assertArrayEquals(weights("seldom"), weights("often"));
    }

    @Test
    void theMoreWorkersKeepTheirMomentsTheMoreOftenTheStateIsCopied() {
        assertEquals(List.of(128, 128, 64, 4, 1), Stream.of(1, 32, 64, 1000, 10_000).map(workers -> TrainingLoop.copyRounds(Averaging.PARAMETERS, workers)).toList());
        assertEquals(TrainingLoop.COPY_ROUNDS, TrainingLoop.copyRounds(Averaging.EVERYTHING, 1000));
    }

    @Test
    void progressIsLoggedSeldomAndAtTheEnd() {
        List<String> lines = new ArrayList<>();
        AbstractAppender appender = new AbstractAppender("rounds", null, null, true, Property.EMPTY_ARRAY) {
            @Override
            public void append(LogEvent event) {
                lines.add(event.getMessage().getFormattedMessage());
            }
        };
        appender.start();
        Configurator.setLevel(TrainingLoop.class, Level.INFO);
        Logger logger = (Logger) LogManager.getLogger(TrainingLoop.class);
        logger.addAppender(appender);
        int rounds;
        try {
            rounds = train("train.local-steps=1", "train.batch-size=1").rounds();
        } finally {
            logger.removeAppender(appender);
            Configurator.setLevel(TrainingLoop.class, Level.WARN);
        }
        assertTrue(rounds > 40 && lines.size() < rounds / 2, lines.size() + " lines, " + rounds + " rounds");
        assertTrue(lines.get(lines.size() - 1).contains("round " + rounds + "/" + rounds + ": loss"), lines.toString());
    }

    @Test
    void aFinishedStudentIsNotTrainedAgainAndOneTrainedOtherwiseIsNotOverwritten() throws Exception {
        TrainSummary first = train();
        byte[] bytes = Files.readAllBytes(folder.resolve("student/model.safetensors"));
        assertEquals(first, train());
        UserException error = error(() -> train("train.alpha=0.9"));
        assertTrue(error.cause().contains("train.alpha is \"0.9\" now and was \"0.5\" then"), error.getMessage());
        assertArrayEquals(bytes, Files.readAllBytes(folder.resolve("student/model.safetensors")));
    }

    @Test
    void oldCheckpointsMakeRoom() throws Exception {
        train("train.epochs=5", "train.keep-checkpoints=2");
        try (Stream<Path> files = Files.list(folder.resolve("student/checkpoints"))) {
            assertEquals(2, files.count());
        }
    }

    @Test
    void aCacheOfAnotherTeacherIsRefused() {
        TinyLlama.write(distillery.teacher(), 8);
        UserException error = error(this::train);
        assertTrue(error.problem().contains("another teacher"), error.getMessage());
    }

    @Test
    void trainingNeedsNoTeacherFile() throws Exception {
        Files.delete(distillery.teacher());
        assertTrue(train("teacher.path=\"\"").positions() > 0);
    }

    @Test
    void anEmptyCacheAndOtherSettingsAreRefused() {
        assertTrue(error(() -> train("cache.path=" + folder.resolve("none"))).remedy().contains("potstill label"));
        assertTrue(error(() -> train("targets.k=9")).cause().contains("spec=top-8"));
        assertTrue(error(() -> train("sequence-length=16")).problem().contains("another sequence-length"));
        assertTrue(error(() -> train("corpus.holdout=0.1")).problem().contains("another corpus.holdout"));
    }

    @Test
    void aStudentThatCannotBeWrittenOrCannotBeIsRefusedBeforeAnyWork() {
        Distillery.write(folder.resolve("file"), "");
        assertTrue(error(() -> train("student.path=" + folder.resolve("file/s"))).problem().contains("cannot write the student"));
        UserException shape = error(() -> train("student.hidden-size=17"));
        assertTrue(shape.getMessage().contains("hidden"), shape.getMessage());
    }

    @Test
    void aFolderThatHoldsAnotherModelIsLeftAlone() throws Exception {
        for (String name : List.of("config.json", "model.safetensors", "tokenizer.json", "generation_config.json")) {
            Path theirs = Files.createDirectories(folder.resolve("with " + name)).resolve(name);
            Files.writeString(theirs, "precious");
            UserException error = error(() -> train("student.path=" + theirs.getParent()));
            assertTrue(error.getMessage().contains(name) && error.remedy().contains("student.path"), error.getMessage());
            assertEquals("precious", Files.readString(theirs));
        }
    }

    @Test
    void aVocabularyThatDoesNotFitTheCacheIsRefused() throws Exception {
        Path provenance = Path.of(store().folder().path("provenance.json").toUri());
        Files.writeString(provenance, Files.readString(provenance).replace("\"vocab_size\" : 320", "\"vocab_size\" : 260"));
        UserException error = error(this::train);
        assertTrue(error.problem().contains("cache"), error.getMessage());
    }

    @Test
    void aRowFromElsewhereAndAMissingRowAreNoticed() throws Exception {
        Dataset<Row> rows = Distillery.spark().read().parquet(store().labelsPath());
        Dataset<Row> good = rows.localCheckpoint();
        String some = good.select("key").first().getString(0);
        good.where(functions.col("key").notEqual(some)).coalesce(1).write().mode(SaveMode.Overwrite).parquet(store().labelsPath());
        UserException missing = error(this::train);
        assertTrue(missing.problem().contains("lacks 1 of"), missing.getMessage());
        good.withColumn("tokens", functions.reverse(functions.col("tokens"))).coalesce(1)
                .write().mode(SaveMode.Overwrite).parquet(store().labelsPath());
        UserException foreign = error(this::train);
        assertTrue(foreign.cause().contains("does not belong to these tokens"), foreign.getMessage());
    }

    @Test
    void aLossThatIsNotANumberNamesTheStepTheShardAndTheLastGoodCheckpoint() {
        UserException error = error(() -> train("train.epochs=3", "train.optimizer=sgd", "train.learning-rate=100",
                "train.min-learning-rate=100", "train.max-gradient-norm=0", "train.warmup-share=0", "train.max-loss-beyond-chance=0"));
        assertTrue(error.cause().contains("the loss is NaN") || error.cause().contains("the norm of the gradient is"), error.getMessage());
        assertPlace(error, "none: training begins anew");
    }

    @Test
    void anExplodingLossNamesTheStepTheShardAndTheLastGoodCheckpoint() {
        UserException error = error(() -> train("train.checkpoint-rounds=1", "train.optimizer=sgd", "train.learning-rate=50",
                "train.min-learning-rate=50", "train.max-gradient-norm=0", "train.warmup-share=0", "train.max-loss-beyond-chance=2", "train.local-steps=1"));
        assertTrue(error.cause().contains("nats per token"), error.getMessage());
        assertPlace(error, "checkpoints/step-000000");
    }

    private void assertPlace(UserException error, String checkpoint) {
        assertTrue(error.problem().matches("training diverged at step \\d+"), error.getMessage());
        assertTrue(error.cause().matches("(?s).*at step \\d+ of worker [01], whose batch is the sequences .*averaging round \\d+.*"), error.getMessage());
        assertTrue(error.remedy().contains("The last good checkpoint is ") && error.remedy().contains(checkpoint), error.getMessage());
        List<String> keys = store().snapshot().map(e -> e.key()).collect();
        String named = error.cause().replaceAll("(?s).*the sequences (.*?), in epoch.*", "$1");
        assertTrue(keys.containsAll(List.of(named.split(", "))) && named.split(", ").length == 4, named);
    }

    private LabelStore store() {
        return LabelStores.find(Distillery.spark(), distillery.path("cache").toString(), TargetSpec.topK(8), null);
    }

    private static String[] concat(String[] some, String... more) {
        return Stream.concat(Stream.of(some), Stream.of(more)).toArray(String[]::new);
    }
}
